/** A small network with two blocks of attention, and the same blocks in plain operations. */
import { random, tf } from "../../lib/engine/index.ts";
import { net, network } from "../../lib/models/index.ts";
import type { Model, Params } from "../../lib/models/model.ts";
import type { Network, Weights } from "../../lib/models/network.ts";
import { noisy } from "./by-hand.ts";

/** Sequences of three vectors of four numbers. */
export const attentive = net()
  .reshape([3, 4])
  .transformer(2, { causal: false })
  .transformer(2, { causal: false })
  .first() as unknown as Model;

/** Where the blocks lie in the weights. */
export const blockPaths = ["model/2-transformer", "model/3-transformer"];

/** The network with weights that are all drawn, and what a method trains beside it. */
export function begun(added: Record<string, object> = {}, columns = 3): { net: Network; weights: Weights } {
  const own = network(attentive, [12]);
  const weights = noisy(own.init(random(1), columns), random(2));
  return { net: own, weights: { ...weights, added: added as Record<string, Params> } };
}

/** Rows as sequences. */
export const sequences = (x: readonly (readonly number[])[]): tf.Tensor =>
  tf.reshape(tf.tensor2d(x as number[][]), [x.length, 3, 4]);

/** What is put into a block. */
export interface Into {
  /** `[n, count, width]` before the keys and values. */
  readonly key?: tf.Tensor;
  readonly value?: tf.Tensor;
  /** What is added to what the dense layers give of what comes into them. */
  readonly beside?: (normed: tf.Tensor) => tf.Tensor;
  /** What is added to the products by name. */
  readonly product?: (part: string, x: tf.Tensor) => tf.Tensor;
}

/** A block with two heads, by the formulas of Vaswani et al. 2017. */
export function block(params: Params, x: tf.Tensor, { key, value, beside, product }: Into = {}): tf.Tensor {
  const [n, length, width] = x.shape as [number, number, number];
  const at = (part: string): Record<string, tf.Tensor> => params[part] as Record<string, tf.Tensor>;
  const norm = (of: tf.Tensor, part: string): tf.Tensor => {
    const { mean, variance } = tf.moments(of, -1, true);
    return tf.add(tf.mul(tf.div(tf.sub(of, mean), tf.sqrt(tf.add(variance, 1e-5))), at(part).scale!), at(part).shift!);
  };
  const dense = (of: tf.Tensor, part: string): tf.Tensor => {
    const [rows, places, inner] = of.shape as [number, number, number];
    const { kernel, bias } = at(part);
    const flat = tf.add(tf.matMul(tf.reshape(of, [rows * places, inner]) as tf.Tensor2D, kernel as tf.Tensor2D), bias!);
    const y = tf.reshape(flat, [rows, places, kernel!.shape[1]!]);
    return product === undefined ? y : tf.add(y, product(part, of));
  };
  const normed = norm(x, "before");
  const [q, k, v] = ["query", "key", "value"].map((part) => dense(normed, part));
  const keys = key === undefined ? k! : tf.concat([key, k!], 1);
  const values = value === undefined ? v! : tf.concat([value, v!], 1);
  const half = width / 2;
  const heads = [0, 1].map((h) => {
    const cut = (of: tf.Tensor): tf.Tensor3D => tf.slice(of, [0, 0, h * half], [n, of.shape[1]!, half]) as tf.Tensor3D;
    const scores = tf.div(tf.matMul(cut(q!), cut(keys), false, true), Math.sqrt(half));
    return tf.matMul(tf.softmax(scores) as tf.Tensor3D, cut(values));
  });
  const attended = tf.add(x, dense(tf.concat(heads, 2), "out"));
  const second = norm(attended, "between");
  const u = dense(second, "up");
  const bent = tf.mul(
    tf.mul(u, 0.5),
    tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(u, tf.mul(0.044715, tf.pow(u, 3)))))),
  );
  const down = tf.reshape(dense(bent, "down"), [n, length, width]);
  return tf.add(tf.add(attended, down), beside === undefined ? tf.zerosLike(down) : beside(second));
}

/** The features of sequences when something is put into the blocks. */
export function featuresWith(weights: Weights, x: tf.Tensor, into: readonly Into[] = []): tf.Tensor {
  const out = [0, 1].reduce((now, i) => block(weights.model[`${i + 2}-transformer`] as Params, now, into[i]), x);
  const [n, , width] = out.shape as [number, number, number];
  return tf.reshape(tf.slice(out, [0, 0, 0], [n, 1, width]), [n, width]);
}
