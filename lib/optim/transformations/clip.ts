import { mapTensors, sumTree, tf } from "../../engine/index.ts";
import { transformation } from "../transformation.ts";

/**
 * Cuts a direction to a length: `g · min(1, norm / ‖g‖)` with the norm over all parameters together; or each of its numbers to `±value`.
 *
 * Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", algorithm 1.
 *
 * @throws RangeError unless one of the two is above 0.
 *
 * @example
 * ```ts
 * import { adam, chain, clip } from "thalweg";
 * chain(clip(1), adam());
 * chain(clip({ value: 0.5 }), adam());
 * ```
 */
export const clip = transformation(
  "clip",
  {
    /** The greatest norm; 0 for any. */
    norm: 0,
    /** The greatest size of a number; 0 for any. */
    value: 0,
  },
  "norm",
  ({ norm, value }) => {
    if (!(norm > 0 || value > 0) || norm < 0 || value < 0)
      throw new RangeError(`clip: a norm or a value above 0 is required, got norm ${norm} and value ${value}`);
    return (direction) => {
      const within = value === 0 ? direction : mapTensors((g) => tf.clipByValue(g, -value, value), direction);
      if (norm === 0) return within;
      const size = tf.sqrt(sumTree((g) => tf.sum(tf.square(g)) as tf.Scalar, within));
      const factor = tf.minimum(1, tf.div(norm, tf.maximum(size, 1e-30)));
      return mapTensors((g) => tf.mul(g, factor), within);
    };
  },
);
