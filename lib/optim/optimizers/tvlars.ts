import { needWhole } from "../../data/options.ts";
import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { optimizer, zeros } from "../optimizer.ts";
import { layerwise } from "../parts/layerwise.ts";

/**
 * LARS without a warm-up: the trust in every layer begins high, to explore, and falls along a sigmoid with the steps of the run, to
 * `trust · (1 / (1 + e^(fall · (t − delay))) + floor)` at step t.
 *
 * Do, Nguyen and others 2023, "Revisiting LARS for large batch training generalization of neural networks" (TVLARS), arXiv:2309.14053,
 * equations 4 to 6 with α = 1. Differs from the paper: vectors move by momentum alone, as in `lars`.
 *
 * Implements: P276 TVLARS
 *
 * @example
 * ```ts
 * import { tvlars } from "thalweg";
 * tvlars({ lr: 1, trust: 0.02, delay: 200, fall: 0.01 });
 * ```
 */
export const tvlars = optimizer(
  "tvlars",
  {
    /** Learning rate. */
    lr: 0.1,
    /** Share of the last step that is kept, in [0, 1). */
    momentum: 0.9,
    /** How far a matrix may move in a step, in shares of its length, before it falls. */
    trust: 0.001,
    /** How steeply the trust falls. */
    fall: 0.01,
    /** The step at which half of it is gone. */
    delay: 100,
    /** The share of the trust that is left at the end. */
    floor: 0.01,
    /** Pull of the matrices towards 0. */
    weightDecay: 0,
  },
  ({ momentum, trust, fall, delay, floor, weightDecay }) => {
    needWhole("tvlars", "delay", delay, 0);
    for (const [name, value] of Object.entries({ trust, fall }))
      if (!(value > 0)) throw new RangeError(`tvlars: a ${name} above 0 is required, got ${value}`);
    if (!(floor >= 0)) throw new RangeError(`tvlars: a floor of at least 0 is required, got ${floor}`);
    return {
      init: (params): Tree => ({ velocity: zeros(params), taken: tf.scalar(0) }),
      update(grads, state, params, rate) {
        const had = state as { readonly velocity: Tree; readonly taken: tf.Tensor };
        const gone = tf.mul(tf.sub(delay, had.taken), fall);
        const now = tf.mul(tf.add(tf.sigmoid(gone), floor), trust);
        const velocity = mapTensors(
          (v, g, w) => tf.add(tf.mul(v, momentum), layerwise(g!, w!, now, weightDecay)),
          had.velocity,
          grads,
          params,
        );
        const down = tf.neg(rate);
        return [mapTensors((v) => tf.mul(v, down), velocity), { velocity, taken: tf.add(had.taken, 1) }];
      },
    };
  },
);
