import { product, solveSymmetric, transposed } from "../engine/linear-algebra.ts";
import { editing, type Matrix, valueDefaults } from "./editing.ts";
import { nullSpace } from "./parts/least-squares.ts";

/**
 * AlphaEdit: facts are written only where known keys have nothing: the change is projected onto the null space of their outer products, so
 * what the layer gives for them stays as it is.
 *
 * With the directions U whose share of the known keys' mean square is below `threshold`:
 * `Δ = U (Uᵀ(KᵀK + past)U + size · I)⁻¹ Uᵀ Kᵀ R`.
 *
 * Implements: P259 AlphaEdit
 *
 * Fang et al. 2024, arXiv:2410.02355, eq. 10–14.
 * Differs from the paper: one layer; the threshold is a share of the largest eigenvalue rather than a number.
 *
 * @throws TypeError without known facts; RangeError where no direction is left.
 *
 * @example
 * ```ts
 * import { edit } from "thalweg";
 * edit.alphaEdit().options.threshold; // 0.001
 * ```
 */
export const alphaEdit = editing(
  "alphaEdit",
  { ...valueDefaults, until: 0.95, threshold: 1e-3, size: 1e-2 },
  (editor, { threshold, size, ...how }) => {
    const { kernel, known, knownCount, past } = editor;
    const { inputs, units } = editor.site;
    if (knownCount === 0)
      throw new TypeError("edit.alphaEdit: facts that are to stay are required, got none; name them: { known }");
    const basis = freeOf(known, inputs, threshold);
    const free = basis.length / inputs;
    if (free === 0)
      throw new RangeError(
        `edit.alphaEdit: a direction that known keys do not use is required, got none of ${inputs}; raise threshold, or take a wider layer`,
      );
    const keys = editor.keys(kernel);
    const n = keys.length / inputs;
    const inside = product(keys, transposed(basis, free, inputs), n, inputs, free); // K U
    const turned = transposed(inside, n, free);
    const old = product(
      product(basis, past, free, inputs, inputs),
      transposed(basis, free, inputs),
      free,
      inputs,
      free,
    );
    const left = product(turned, inside, free, n, free).map((x, i) => x + old[i]! + (i % (free + 1) === 0 ? size : 0));
    const wanted = product(turned, editor.changes(kernel, how), free, n, units);
    const change = product(
      transposed(basis, free, inputs),
      solveSymmetric(left, wanted, free, units),
      inputs,
      free,
      units,
    );
    return kernel.map((w, i) => w + change[i]!);
  },
);

/** Null spaces that were found, by the sums they are of: a stream of edits asks for the same one again and again. */
const found = new WeakMap<Matrix, { readonly threshold: number; readonly basis: Matrix }>();

function freeOf(known: Matrix, inputs: number, threshold: number): Matrix {
  const before = found.get(known);
  if (before?.threshold === threshold) return before.basis;
  const basis = nullSpace(known, inputs, threshold);
  found.set(known, { threshold, basis });
  return basis;
}
