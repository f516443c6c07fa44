import { editing, valueDefaults } from "./editing.ts";
import { leastSquares, withDiagonal } from "./parts/least-squares.ts";

/**
 * ENCORE: MEMIT for thousands of edits in a row. A value is looked for only until its answer is the most probable one, and the length of the
 * change costs something, so that the kernel does not grow: `Δ = (KᵀK + hold · C + past + size · m · I)⁻¹ Kᵀ R`,
 * m being the mean squared length of the facts' keys.
 *
 * Implements: P065 ENCORE
 *
 * Gupta et al. 2025, arXiv:2502.01636, section 4 (most-probable early stopping) and section 5 (the Frobenius-norm constraint).
 * Differs from the paper: one layer; strengths are for small networks; a value is looked for a few steps further (`further`), as a change that
 * costs something is not written wholly.
 *
 * @example
 * ```ts
 * import { edit } from "thalweg";
 * edit.encore({ size: 2 }).options.size; // 2
 * ```
 */
export const encore = editing(
  "encore",
  { ...valueDefaults, hold: 10, size: 1e-3, further: 10 },
  (editor, { hold, size, ...how }) => {
    const { kernel, known, knownCount, past } = editor;
    const { inputs, units } = editor.site;
    const held = known.map((x, i) => (hold * x) / Math.max(1, knownCount) + past[i]!);
    const changes = editor.changes(kernel, { ...how, until: "most probable" });
    const keys = editor.keys(kernel);
    const square = keys.reduce((sum, x) => sum + x * x, 0) / editor.n;
    const change = leastSquares(keys, changes, withDiagonal(held, inputs, size * square + 1e-6), inputs, units);
    return kernel.map((w, i) => w + change[i]!);
  },
);
