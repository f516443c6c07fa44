/** How new weights are drawn. */
import type { Rng, tf } from "../engine/index.ts";

/**
 * The rule by which weights begin.
 *
 * `torch`: uniform in ±1/√fanIn, biases too (PyTorch's default for linear and convolutional layers). `xavier`: uniform in
 * ±√(6/(fanIn+fanOut)), biases 0 (Glorot and Bengio 2010). `he`: normal with deviation √(2/fanIn), biases 0 (He et al. 2015).
 */
export type Initial = "torch" | "xavier" | "he";

/** Draws a weight tensor by the rule. */
export function drawWeights(
  rule: Initial,
  rng: Rng,
  shape: readonly number[],
  fanIn: number,
  fanOut: number,
): tf.Tensor {
  if (rule === "he") return rng.normals(shape, 0, Math.sqrt(2 / fanIn));
  const bound = rule === "torch" ? 1 / Math.sqrt(fanIn) : Math.sqrt(6 / (fanIn + fanOut));
  return rng.uniforms(shape, -bound, bound);
}

/** Draws a bias vector by the rule. */
export function drawBias(rule: Initial, rng: Rng, length: number, fanIn: number): tf.Tensor {
  const bound = rule === "torch" ? 1 / Math.sqrt(fanIn) : 0;
  return rng.uniforms([length], -bound, bound);
}
