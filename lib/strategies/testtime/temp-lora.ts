import { mapTensors, type Rng, tf, valueAndGrad } from "../../engine/index.ts";
import type { Filter } from "../../models/filter.ts";
import { drawWeights } from "../../models/initial.ts";
import type { Within } from "../../models/model.ts";
import { crossEntropies, type Network, type Weights } from "../../models/network.ts";
import { kernelsIn } from "../parts/kernels.ts";
import { still } from "../parts/still.ts";
import { type Pass, type Passed, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** Of each layer what the way down begins as, `[inputs, rank]`, and the outputs, as zeros `[rank, units]`. Types, so that they are trees of tensors. */
type Begun = { readonly [layer: string]: { readonly down: tf.Tensor; readonly up: tf.Tensor } };
/** Of each layer and row its own: `[n, inputs, rank]` and `[n, rank, units]`. */
type Fast = Begun;

interface Memory {
  readonly tensors: Begun;
}

/**
 * Temporal LoRA: a sequence is gone through chunk by chunk with a short view, and what was there is kept in low-rank weights of the sequence's
 * own, which learn after every chunk. The network itself learns slowly, from sequences read in this way.
 *
 * A chunk of `chunk` places is predicted by a pass that sees it and `context` places before. Then the fast weights take `steps` steps of length `rate`
 * down the mean loss of the next tokens within what the pass saw: kernels are `W + D U` for each sequence, D beginning as drawn once and U as 0. This is the
 * inner loop, in training and in evaluation. The outer one is the plain training of the network on what all chunks predict, through which the fast
 * weights are taken as they are. With `steps: 0` nothing is kept of what lies further back than a pass sees. Models that do not give something at each
 * place of a sequence of tokens run as they are.
 *
 * Implements: P001 SlowFast-VGen
 *
 * Hong et al. 2024, "SlowFast-VGen: slow-fast learning for action-driven long video generation", arXiv:2410.23277. Written from the abstract and
 * the project's page: fast weights that learn after each chunk from its input and output, and a slow loop through sequences with the fast weights
 * frozen. Chosen here: tokens in place of video, plain steps, one set of fast weights for each sequence of a batch, and which kernels have them.
 *
 * @example
 * ```ts
 * import { copying, gpt, sequence, tempLora } from "thalweg";
 * const data = copying({ length: 8, examples: 40, testExamples: 10 });
 * sequence(data, 1).learn(gpt({ width: 16, depth: 1, heads: 2, tokens: 10 })).by(tempLora({ chunk: 4, context: 4 }));
 * ```
 */
export const tempLora = strategy(
  "tempLora",
  {
    /** Places that are predicted at a time. */
    chunk: 8,
    /** Places before them that a pass sees. */
    context: 8,
    /** Width of the two matrices. */
    rank: 4,
    /** How far a step of the fast weights goes. */
    rate: 1,
    /** Steps after each chunk. */
    steps: 1,
    /** The kernels that have fast weights, matrices all of them; null for all. */
    on: null as null | string | readonly string[],
  },
  ({ chunk, context, rank, rate, steps, on: given }) => {
    const on: Filter = given ?? "*";
    requireWhole("tempLora", "chunk", chunk, 1);
    requireWhole("tempLora", "context", context, 0);
    requireWhole("tempLora", "rank", rank, 1);
    requireNumber("tempLora", "rate", rate, 0);
    requireWhole("tempLora", "steps", steps, 0);
    return {
      tokens: true,
      rowwise: true,
      init: ({ network, weights, rng }): Memory => ({
        tensors: reads(network) ? begun(network, weights, on, rank, rng) : {},
      }),
      forward({ tensors }: Memory, pass): Passed {
        if (!reads(pass.network)) return pass.plain();
        const [n, length] = pass.x.shape as [number, number];
        let fast: Fast = mapTensors((t: tf.Tensor) => tf.tile(tf.expandDims(t, 0), [n, 1, 1]), tensors);
        const parts: Passed[] = [];
        for (let from = 0; from < length; from += chunk) {
          const [start, end] = [Math.max(0, from - context), Math.min(length, from + chunk)];
          const window = tf.slice(pass.x, [0, start], [n, end - start]);
          const passed = pass.plain({ x: window, ...added(fast) });
          const own = (t: tf.Tensor): tf.Tensor => tf.slice(t, [0, from - start, 0], [n, end - from, t.shape[2]!]);
          parts.push({ features: own(passed.features), logits: own(passed.logits) });
          if (end < length && window.shape[1]! > 1)
            for (let step = 0; step < steps; step++) fast = learnt(fast, window, pass, rate);
        }
        return {
          features: tf.concat(
            parts.map(({ features }) => features),
            1,
          ),
          logits: tf.concat(
            parts.map(({ logits }) => logits),
            1,
          ),
        };
      },
    };
  },
);

/** Whether a network reads tokens and gives something at each place. */
const reads = ({ input, width }: Pick<Network, "input" | "width">): boolean => input.length === 1 && width.length === 2;

function begun(network: Network, weights: Weights, on: Filter, rank: number, rng: Rng): Begun {
  const matrices = Object.entries(kernelsIn(network, weights, on)).filter(([path, { rank: axes }]) => {
    return axes === 2 && path.endsWith("/kernel") && !path.includes("embedding");
  });
  if (matrices.length === 0)
    throw new TypeError(
      `tempLora: matrices to add to are required, got none that { on: ${JSON.stringify(on)} } selects; name layers with a kernel, as "*query"`,
    );
  return Object.fromEntries(
    matrices.map(([path, { shape }]) => {
      const [inputs, units] = shape as [number, number];
      const down = drawWeights("torch", rng.at("down", path), [inputs, rank], inputs, rank);
      return [path.slice(0, -"/kernel".length), { down, up: tf.zeros([rank, units]) }];
    }),
  );
}

/** *Traced.* Adds to what layers give what each row's own matrices make of the row's places. */
function added(fast: Fast): Within {
  return {
    tap(path, input, output) {
      const own = path[0] === "model" ? fast[path.slice(1).join("/")] : undefined;
      if (own === undefined) return output;
      const [n, inputs] = own.down.shape as [number, number, number];
      const rows = tf.reshape(input, [n, input.size / n / inputs, inputs]);
      return tf.add(output, tf.reshape(tf.matMul(tf.matMul(rows, own.down), own.up), output.shape));
    },
  };
}

/** *Traced.* The fast weights a step further down the loss of the next tokens of a window, each row by its own; through them no slope comes back. */
function learnt(fast: Fast, window: tf.Tensor, { plain }: Pass, rate: number): Fast {
  const [n, length] = window.shape as [number, number];
  const { grads } = valueAndGrad((at: Fast) => {
    const { logits } = plain({ x: window, ...added(at) });
    const columns = logits.shape[2]!;
    const said = tf.reshape(tf.slice(logits, [0, 0, 0], [n, length - 1, columns]), [n * (length - 1), columns]);
    const next = tf.cast(tf.reshape(tf.slice(window, [0, 1], [n, length - 1]), [n * (length - 1)]), "int32");
    return tf.div(tf.sum(crossEntropies(said, next)), length - 1) as tf.Scalar;
  }, fast);
  return mapTensors((a: tf.Tensor, g?: tf.Tensor) => still(tf.sub(a, tf.mul(g!, rate))), fast, grads);
}
