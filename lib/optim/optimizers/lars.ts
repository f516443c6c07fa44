import { mapTensors, tf } from "../../engine/index.ts";
import { optimizer, zeros } from "../optimizer.ts";
import { layerwise } from "../parts/layerwise.ts";

/**
 * LARS: descent with momentum in which every matrix has a rate of its own, by its length over that of its gradient:
 * `trust · ‖w‖ / (‖g‖ + weightDecay · ‖w‖)`, for large batches. Vectors (biases, norms) move by momentum alone, without decay.
 *
 * You, Gitman and Ginsburg 2017, "Large batch training of convolutional networks", arXiv:1708.03888, algorithm 1. Differs from the paper:
 * the rate multiplies the momentum rather than what goes into it, as in later programs; vectors are left out, as there.
 *
 * Implements: P241 LARS
 *
 * @example
 * ```ts
 * import { lars } from "thalweg";
 * lars({ lr: 1, trust: 0.001, weightDecay: 5e-4 });
 * ```
 */
export const lars = optimizer(
  "lars",
  {
    /** Learning rate. */
    lr: 0.1,
    /** Share of the last step that is kept, in [0, 1). */
    momentum: 0.9,
    /** How far a matrix may move in a step, in shares of its length. */
    trust: 0.001,
    /** Pull of the matrices towards 0. */
    weightDecay: 0,
  },
  ({ momentum, trust, weightDecay }) => {
    if (!(trust > 0)) throw new RangeError(`lars: a trust above 0 is required, got ${trust}`);
    return {
      init: (params) => zeros(params),
      update(grads, state, params, rate) {
        const velocity = mapTensors(
          (v, g, w) => tf.add(tf.mul(v, momentum), layerwise(g!, w!, trust, weightDecay)),
          state,
          grads,
          params,
        );
        const down = tf.neg(rate);
        return [mapTensors((v) => tf.mul(v, down), velocity), velocity];
      },
    };
  },
);
