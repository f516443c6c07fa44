/** A network that makes prompts of what an example has become half way: attention to trained vectors, one for each class. */
import { nn, type Rng, tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import { excluded, type Network } from "../../models/network.ts";
import { blocksOf } from "./blocks.ts";

type Dense = { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
type Two = { readonly first: Dense; readonly second: Dense };

/** Its tensors. Queries, keys and values have as many numbers as a vector for every prompt. A type, so that it is a tree of tensors. */
export type PromptGenerator = {
  /** `[columns, width]`. */
  readonly tokens: tf.Tensor;
  readonly into: Two;
  readonly norm: { readonly scale: tf.Tensor; readonly shift: tf.Tensor };
  readonly query: Dense;
  readonly key: Dense;
  readonly value: Dense;
  readonly out: Dense;
  readonly from: Two;
};

/** What it gives: `[n, prompts, width]`, and how much each head of each prompt looks at the vector of each class, `[n · heads · prompts, columns]`. */
export interface Generated {
  readonly prompts: tf.Tensor;
  readonly scores: tf.Tensor;
}

/** A new one. Kernels and vectors are normal with deviation 0.02, biases 0. */
export function drawGenerator(network: Network, rng: Rng, columns: number, prompts: number): PromptGenerator {
  const { width } = blocksOf(network);
  const dense = (name: string, outputs = width): Dense => ({
    kernel: rng.at(name).normals([width, outputs], 0, 0.02),
    bias: tf.zeros([outputs]),
  });
  const two = (name: string): Two => ({ first: dense(`${name} 1`), second: dense(`${name} 2`) });
  return {
    tokens: rng.at("tokens").normals([columns, width], 0, 0.02),
    into: two("into"),
    norm: { scale: tf.ones([width]), shift: tf.zeros([width]) },
    query: dense("query", width * prompts),
    key: dense("key", width * prompts),
    value: dense("value", width * prompts),
    out: dense("out"),
    from: two("from"),
  };
}

/**
 * *Traced.* The prompts for some vectors, `[n, width]`. With q the normalised output of two dense layers, each of `heads` heads for each prompt sees
 * q itself and the vectors of the classes that `seen`, `[1, columns]`, marks; a product and two dense layers make a prompt of what it saw.
 */
export function generated(own: PromptGenerator, low: tf.Tensor, heads: number, seen: tf.Tensor): Generated {
  const [columns, width] = own.tokens.shape as [number, number];
  const [n] = low.shape as [number];
  const prompts = own.query.kernel.shape[1]! / width;
  const d = width / heads;
  /** `[heads · prompts, rows, d]`. */
  const turned = (rows: tf.Tensor, by: Dense): tf.Tensor3D =>
    tf.transpose(tf.reshape(times(rows, by), [rows.shape[0]!, heads * prompts, d]), [1, 0, 2]) as tf.Tensor3D;
  const asked = nn.layerNormalise(both(low, own.into), own.norm.scale, own.norm.shift);
  const query = tf.div(turned(asked, own.query), Math.sqrt(d)) as tf.Tensor3D;
  const toClasses = tf.matMul(query, turned(own.tokens, own.key), false, true);
  const toItself = tf.sum(tf.mul(query, turned(asked, own.key)), 2, true);
  const open = tf.add(toClasses, tf.mul(tf.sub(1, tf.reshape(seen, [1, 1, columns])), excluded));
  const shares = tf.softmax(tf.concat([toItself, open], 2)) as tf.Tensor3D;
  const ofItself = tf.slice(shares, [0, 0, 0], [heads * prompts, n, 1]);
  const ofClasses = tf.slice(shares, [0, 0, 1], [heads * prompts, n, columns]) as tf.Tensor3D;
  const saw = tf.add(tf.mul(ofItself, turned(asked, own.value)), tf.matMul(ofClasses, turned(own.tokens, own.value)));
  const rows = tf.reshape(tf.transpose(saw, [1, 0, 2]), [n * prompts, width]);
  return {
    prompts: tf.reshape(both(times(rows, own.out), own.from), [n, prompts, width]),
    scores: tf.reshape(tf.transpose(open, [1, 0, 2]), [n * heads * prompts, columns]),
  };
}

/** Puts what `make` gives for the vector at the first place behind it, where a sequence comes into a block. */
export function generatedAt(
  network: Pick<Network, "model" | "input">,
  block: number,
  make: (low: tf.Tensor) => tf.Tensor,
): Pick<Within, "around"> {
  const { paths } = blocksOf(network);
  return {
    around(path, x, run) {
      if (path.join("/") !== paths[block]) return run(x);
      const [n, places, width] = x.shape as [number, number, number];
      const first = tf.slice(x, [0, 0, 0], [n, 1, width]);
      const others = tf.slice(x, [0, 1, 0], [n, places - 1, width]);
      return run(tf.concat([first, make(tf.reshape(first, [n, width])), others], 1));
    },
  };
}

/** The generator as the tree that weights are. */
export const asParams = (own: PromptGenerator): Params => own as unknown as Params;

function times(x: tf.Tensor, { kernel, bias }: Dense): tf.Tensor {
  return tf.add(tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D), bias);
}

function both(x: tf.Tensor, { first, second }: Two): tf.Tensor {
  return times(nn.gelu(times(x, first), "exact"), second);
}
