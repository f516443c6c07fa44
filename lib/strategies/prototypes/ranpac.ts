import { type Vectors, vectorKinds } from "../parts/closed-form.ts";
import { ridgeHooks } from "../parts/ridge.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/**
 * RanPAC: class prototypes over random rectified features, decorrelated by the inverse of their Gram matrix.
 *
 * `h = relu(v · P)` with P drawn once from a normal distribution; scores are `h · (Σ h hᵀ + ridge · I)⁻¹ Σ h yᵀ`. Exact in one pass, in
 * any order.
 *
 * Streams that ask for numbers get the regression onto these, streams of tokens one for all places.
 *
 * McDonnell et al. 2023, arXiv:2307.02251, eq. 2–3 and algorithm 1.
 * Differs from the paper: the ridge is an option, not chosen on held-out examples; no parameter-efficient tuning on the first task
 * (of: "trained" trains the whole network on it).
 *
 * @example
 * ```ts
 * import { ranpac } from "thalweg";
 * ranpac({ units: 1000, ridge: 10 });
 * ```
 */
export const ranpac = strategy(
  "ranpac",
  {
    /** What the vectors are: "inputs", "features" of the network as it begins, or features "trained" on the first experience. */
    of: "features" as Vectors,
    /** Random features. */
    units: 1000,
    /** Ridge of the regression. */
    ridge: 1,
  },
  ({ of, units, ridge }) => {
    requireOneOf("ranpac", "of", of, vectorKinds);
    requireWhole("ranpac", "units", units, 1);
    requireNumber("ranpac", "ridge", ridge, 1e-12);
    return ridgeHooks(of, ridge, { units, draw: (rng, inputs, width) => rng.normals([inputs, width]) });
  },
);
