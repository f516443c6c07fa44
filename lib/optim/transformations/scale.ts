import { mapTensors, tf } from "../../engine/index.ts";
import { transformation } from "../transformation.ts";

/**
 * Multiplies a direction by a number.
 *
 * @example
 * ```ts
 * import { chain, only, scale, sgd } from "thalweg";
 * chain(only("1-conv", scale(0.1)), sgd({ lr: 0.1 })); // a tenth of the rate in the first layer
 * ```
 */
export const scale = transformation("scale", { by: 1 }, "by", ({ by }) => {
  if (!Number.isFinite(by)) throw new RangeError(`scale: a finite number is required, got ${by}`);
  return (direction) => mapTensors((g) => tf.mul(g, by), direction);
});
