import { mapTensors, tf } from "../../engine/index.ts";
import { transformation } from "../transformation.ts";

/**
 * Adds a pull to 0 to a direction: `u + by · w`. After an optimizer it is decoupled from its moments and takes the rate alone; before one it is
 * the gradient of a quadratic penalty.
 *
 * Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2.
 *
 * @example
 * ```ts
 * import { adam, chain, not, only, weightDecay } from "thalweg";
 * chain(adam(), only(not({ kind: ["bias", "norm"] }), weightDecay(0.01)));
 * ```
 */
export const weightDecay = transformation("weightDecay", { by: 0.01 }, "by", ({ by }) => {
  if (!(by >= 0 && Number.isFinite(by)))
    throw new RangeError(`weightDecay: a number of at least 0 is required, got ${by}`);
  return (direction, params) => mapTensors((u, w) => tf.add(u, tf.mul(w!, by)), direction, params);
});
