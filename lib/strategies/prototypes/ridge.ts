import { type Vectors, vectorKinds } from "../parts/closed-form.ts";
import { ridgeHooks } from "../parts/ridge.ts";
import { requireNumber, requireOneOf, strategy } from "../strategy.ts";

/**
 * A ridge classifier: the least-squares fit of classes to the inputs themselves. The cheapest honest baseline: it forgets nothing, has no
 * random layer and nothing to tune but `ridge`.
 *
 * `W = (Σ x xᵀ + ridge · I)⁻¹ Σ x yᵀ` with y 1 for the label and 0 for other classes, and an intercept that is not pulled towards 0. Only
 * sums are kept, so any order of the examples gives the same weights as all of them at once.
 *
 * Streams that ask for numbers get the regression onto these, streams of tokens one for all places.
 *
 * Hoerl and Kennard 1970, "Ridge regression: biased estimation for nonorthogonal problems"; as a classifier it answers as
 * scikit-learn's `RidgeClassifier(alpha=ridge)`.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, ridge } from "thalweg";
 * classes(digits()).split(5).learn(mlp()).by(ridge({ ridge: 1 }));
 * ```
 */
export const ridge = strategy(
  "ridge",
  {
    /** What the vectors are: "inputs", "features" of the network as it begins, or features "trained" on the first experience. */
    of: "inputs" as Vectors,
    /** Pull of the weights towards 0. */
    ridge: 1,
  },
  ({ of, ridge: pull }) => {
    requireOneOf("ridge", "of", of, vectorKinds);
    requireNumber("ridge", "ridge", pull, 1e-12);
    return ridgeHooks(of, pull);
  },
);
