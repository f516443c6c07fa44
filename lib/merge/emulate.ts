import { type Tree, tf } from "../engine/index.ts";
import type { Params } from "../models/model.ts";
import type { Weights } from "../models/network.ts";
import { type TrainedNetwork, trained } from "../models/trained.ts";
import { logitsOf } from "./parts/data.ts";

/** What `emulate` can be told. */
export interface EmulateOptions {
  /** How much of the difference is added; default 1. */
  readonly scale?: number;
}

/**
 * Emulated fine-tuning: a large network answers as if it had been tuned, by what tuning has changed in the answers of a small one:
 * `log p = log p(large) + scale · (log p(tuned small) − log p(small))`, up to a constant.
 *
 * Nothing is trained, and the three may have any form with the same examples and columns. Values of `scale` between 0 and 1 go from the one
 * behaviour to the other. The network that is given predicts by all three, so it cannot be saved as a network of its own.
 *
 * Implements: P313 EFT emulated fine-tuning
 *
 * Mitchell et al. 2023, arXiv:2310.12962, eq. 3–4 (up-scaling).
 *
 * @throws RangeError where examples or columns differ.
 *
 * @example
 * ```ts
 * import { merge, mlp, network, random, tf, trained } from "thalweg";
 * const made = (units: number, seed: number) =>
 *   trained({ model: mlp({ hidden: [units] }), input: [3], weights: network(mlp({ hidden: [units] }), [3]).init(random(seed), 2) });
 * const [large, tuned, small] = [made(8, 0), made(2, 1), made(2, 2)];
 * merge.emulate(large, tuned, small).predict(tf.zeros([1, 3])).shape; // [1, 2]
 * ```
 */
export function emulate(
  large: TrainedNetwork,
  tuned: TrainedNetwork,
  small: TrainedNetwork,
  { scale = 1 }: EmulateOptions = {},
): TrainedNetwork {
  for (const other of [tuned, small])
    if (String(other.input) !== String(large.input) || other.classes.length !== large.classes.length)
      throw new RangeError(
        `merge.emulate: networks over [${large.input}] with ${large.classes.length} columns are required, got one over [${other.input}] with ${other.classes.length}`,
      );
  type Held = { readonly weights: Weights; readonly statistics: Params };
  const says = ({ structure }: TrainedNetwork, { weights, statistics }: Held, x: tf.Tensor): tf.Tensor =>
    tf.logSoftmax(logitsOf(structure, weights, statistics, x));
  return trained({
    ...large.parts,
    predicting: {
      strategies: [{ name: "emulate", options: { scale } }],
      states: {
        tuned: { weights: tuned.weights, statistics: tuned.statistics },
        small: { weights: small.weights, statistics: small.statistics },
      } as unknown as { readonly [name: string]: Tree },
      predict(weights, statistics, states, x) {
        const [after, before] = [states.tuned, states.small] as unknown as [Held, Held];
        const change = tf.sub(says(tuned, after, x), says(small, before, x));
        return tf.add(says(large, { weights, statistics }, x), tf.mul(change, scale));
      },
    },
  });
}
