import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";

/**
 * Multiplies each channel by a trained number that begins small, so that a deep residual network begins as if its blocks were not there.
 *
 * Touvron et al. 2021, arXiv:2103.17239, section 2.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().residual((n) => n.conv(3, 3).relu().layerScale(0.1)).features([8, 8, 3]); // [8, 8, 3]
 * ```
 */
export const layerScale = sameLayer("layerScale", (begin: number = 1e-6) => {
  if (!Number.isFinite(begin)) throw new RangeError(`layerScale: a finite beginning is required, got ${begin}`);
  return {
    options: { begin },
    byPlace: true,
    shape: (input) => input,
    init: (_rng, input) => ({ scale: tf.fill([input.at(-1)!], begin) }),
    apply: (x, params) => tf.mul(x, params.scale as tf.Tensor),
  };
});
