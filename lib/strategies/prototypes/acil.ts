import { type Vectors, vectorKinds } from "../parts/closed-form.ts";
import { ridgeHooks } from "../parts/ridge.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/**
 * Analytic class-incremental learning: the network is trained on the first experience, then its head is a ridge regression that every
 * experience updates exactly.
 *
 * The features go through a random rectified layer of `units`; the weights after any number of experiences are those of the regression
 * on all examples so far at once. Classes may come back and mix freely, so this is G-ACIL too: its split of a batch into exposed and
 * unexposed classes gives the same weights.
 *
 * Streams that ask for numbers get the regression onto these, streams of tokens one for all places.
 *
 * Zhuang et al. 2022, arXiv:2205.14922, eq. 9–12; generalised: Zhuang et al. 2024, arXiv:2403.15706.
 * Differs from the paper: the autocorrelation matrix is kept rather than its inverse, in double precision; the weights are the same.
 *
 * Implements: P425 G-ACIL
 *
 * @example
 * ```ts
 * import { acil } from "thalweg";
 * acil({ units: 500, ridge: 0.1 });
 * ```
 */
export const acil = strategy(
  "acil",
  {
    /** What the vectors are: "inputs", "features" of the network as it begins, or features "trained" on the first experience. */
    of: "trained" as Vectors,
    /** Units of the random layer. */
    units: 500,
    /** Ridge of the regression. */
    ridge: 0.1,
  },
  ({ of, units, ridge }) => {
    requireOneOf("acil", "of", of, vectorKinds);
    requireWhole("acil", "units", units, 1);
    requireNumber("acil", "ridge", ridge, 1e-12);
    return ridgeHooks(of, ridge, {
      units,
      draw: (rng, inputs, width) => rng.uniforms([inputs, width], -1 / Math.sqrt(inputs), 1 / Math.sqrt(inputs)),
    });
  },
);
