/** How noise comes into examples step by step, and how it is taken out of them again. */
import { needOneOf, needWhole, withDefaults } from "../data/options.ts";
import { tf } from "../engine/index.ts";

/** What a noise schedule can be told. */
export interface NoiseOptions {
  /** Steps from an example to noise. Default 200. */
  readonly steps?: number;
  /**
   * How fast noise comes: "linear", whose variances go evenly from 0.0001 to 0.02 where there are 1000 steps and from as many times more where there are
   * fewer, or "cosine", with which the beginning and the end are slow. Default "cosine".
   */
  readonly schedule?: "linear" | "cosine";
}

/** Noise in so many steps; step 0 has the least. */
export interface NoiseSchedule {
  readonly steps: number;
  /** The share of an example's variance that is left after each step (ᾱ). */
  readonly kept: readonly number[];
  /** The variance of the noise that each step adds (β). */
  readonly added: readonly number[];
}

/**
 * A noise schedule: after step t an example x is `√ᾱₜ · x + √(1 − ᾱₜ) · ε` with normal ε.
 *
 * Ho et al. 2020, arXiv:2006.11239, equation 4 and section 4 ("linear"); Nichol and Dhariwal 2021, arXiv:2102.09672, equation 17 ("cosine"), whose program scales
 * the linear one to the number of steps; variances of at most 0.999.
 *
 * @throws TypeError, RangeError for options that are none.
 *
 * @example
 * ```ts
 * import { noiseSchedule } from "thalweg";
 * noiseSchedule({ steps: 1000, schedule: "linear" }).added[999]; // 0.02
 * ```
 */
export function noiseSchedule(options: NoiseOptions = {}): NoiseSchedule {
  const { steps, schedule } = withDefaults<Required<NoiseOptions>>("noiseSchedule", options, {
    steps: 200,
    schedule: "cosine",
  });
  needWhole("noiseSchedule", "steps", steps, 2);
  needOneOf("noiseSchedule", "schedule", schedule, ["linear", "cosine"]);
  const left = (share: number): number => Math.cos((((share + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  const [first, last] = [0.1 / steps, 20 / steps];
  const added = Array.from({ length: steps }, (_, t) =>
    Math.min(
      0.999,
      schedule === "linear" ? first + ((last - first) * t) / (steps - 1) : 1 - left((t + 1) / steps) / left(t / steps),
    ),
  );
  let kept = 1;
  return { steps, added, kept: added.map((variance) => (kept *= 1 - variance)) };
}

/**
 * *Traced.* Examples with noise: `√kept · x + √(1 − kept) · noise`. `kept` has as many axes as `x`, or is a number.
 *
 * @example
 * ```ts
 * import { noised, tf } from "thalweg";
 * [...noised(tf.tensor1d([1]), tf.tensor1d([2]), tf.scalar(0.64)).dataSync()].map((v) => v.toFixed(1)); // ["2.0"]
 * ```
 */
export function noised(x: tf.Tensor, noise: tf.Tensor, kept: tf.Tensor): tf.Tensor {
  return tf.add(tf.mul(tf.sqrt(kept), x), tf.mul(tf.sqrt(tf.sub(1, kept)), noise));
}

/**
 * *Traced.* The examples that noisy ones come from where `noise` is the noise in them: `noised` solved for `x`.
 *
 * @example
 * ```ts
 * import { startOf, tf } from "thalweg";
 * [...startOf(tf.tensor1d([2]), tf.tensor1d([2]), tf.scalar(0.64)).dataSync()].map((v) => v.toFixed(1)); // ["1.0"]
 * ```
 */
export function startOf(noisy: tf.Tensor, noise: tf.Tensor, kept: tf.Tensor): tf.Tensor {
  return tf.div(tf.sub(noisy, tf.mul(tf.sqrt(tf.sub(1, kept)), noise)), tf.sqrt(kept));
}

/**
 * *Traced.* Noisy examples with less noise: from where a share `kept` of the variance is left to where `before` is, 1 in the end.
 *
 * `start` are the examples that they seem to come from, `fresh` is normal noise. With `eta` 0 no noise is added (DDIM); with 1 it is a draw from the posterior of
 * Ho et al. 2020, equations 6 and 7 (DDPM). Song et al. 2021, arXiv:2010.02502, equations 12 and 16.
 *
 * @example
 * ```ts
 * import { lessNoisy, tf } from "thalweg";
 * const [noisy, start] = [tf.tensor1d([2]), tf.tensor1d([1])];
 * lessNoisy(noisy, start, tf.scalar(0.64), tf.scalar(1), tf.scalar(0), tf.tensor1d([0])).dataSync()[0]; // 1
 * ```
 */
export function lessNoisy(
  noisy: tf.Tensor,
  start: tf.Tensor,
  kept: tf.Tensor,
  before: tf.Tensor,
  eta: tf.Tensor,
  fresh: tf.Tensor,
): tf.Tensor {
  const noise = tf.div(tf.sub(noisy, tf.mul(tf.sqrt(kept), start)), tf.sqrt(tf.sub(1, kept)));
  const posterior = tf.mul(tf.div(tf.sub(1, before), tf.sub(1, kept)), tf.sub(1, tf.div(kept, before)));
  const drawn = tf.mul(tf.square(eta), posterior);
  const pointing = tf.mul(tf.sqrt(tf.maximum(tf.sub(tf.sub(1, before), drawn), 0)), noise);
  return tf.add(tf.add(tf.mul(tf.sqrt(before), start), pointing), tf.mul(tf.sqrt(drawn), fresh));
}
