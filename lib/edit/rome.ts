import { solveSymmetric } from "../engine/linear-algebra.ts";
import { editing, valueDefaults } from "./editing.ts";
import { withRidge } from "./parts/least-squares.ts";

/**
 * ROME: one fact after the other is written into a layer as a change of rank one, which gives its key the value that is looked for and
 * changes what known keys give as little as can be: `W + C⁻¹k rᵀ / (kᵀ C⁻¹ k)`.
 *
 * C is the mean of the outer products of known keys, with `ridge` of their mean square on the diagonal.
 *
 * Meng et al. 2022, arXiv:2202.05262, eq. 2–4.
 * Differs from the paper: keys are those at the last place, in no further contexts, and no divergence of other answers counts when the value
 * is looked for.
 *
 * @example
 * ```ts
 * import { edit } from "thalweg";
 * edit.rome({ layer: "2-transformer/down" }).edit; // "rome"
 * ```
 */
export const rome = editing("rome", { ...valueDefaults, until: 0.95, ridge: 1e-2 }, (editor, { ridge, ...how }) => {
  const { site, n, known, knownCount } = editor;
  const { inputs, units } = site;
  const covariance = withRidge(known, inputs, Math.max(1, knownCount), ridge);
  let kernel = editor.kernel;
  for (let fact = 0; fact < n; fact++) {
    const key = editor.keys(kernel, [fact]);
    const change = editor.changes(kernel, how, [fact]);
    const direction = solveSymmetric(covariance, key, inputs, 1);
    const along = key.reduce((sum, x, i) => sum + x * direction[i]!, 0);
    kernel = kernel.map((w, at) => w + (direction[Math.floor(at / units)]! * change[at % units]!) / along);
  }
  return kernel;
});
