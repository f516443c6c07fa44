import { needWhole } from "../data/options.ts";
import { inverseSymmetric, product } from "../engine/linear-algebra.ts";
import { gramOf, type Matrix } from "../models/parts/kernel-layers.ts";
import { amountDefaults, kept, masked, patternOf } from "./parts/masks.ts";
import { pruning } from "./pruning.ts";

/**
 * Pruning by alternating directions: the numbers that stay are moved to where the layer answers as before, and which ones stay is decided anew in
 * each of the first steps, by more and more zeros.
 *
 * With the Gram matrix G of the inputs, scaled to a diagonal of ones: `Z = mask ∘ (W + U)`, `U += W − Z`, `W = (G + ρ)⁻¹ (G W₀ + ρ (Z − U))`
 * with ρ = 1; one inverse serves all steps. In step t of the `gradual` first the share of zeros is `s − s (1 − t/gradual)³`; after them the mask is
 * fixed, and W goes to the least squares of the numbers that stay.
 *
 * Implements: P076 ADMM pruning
 *
 * Boža 2024, "Fast and optimal weight update for pruned large language models", arXiv:2401.02938, algorithms 1 and 2; damping and numbers of
 * steps of the authors' program. Differs from the program: the share grows also where the whole layer is compared, as in the paper's equation.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 6 }).train;
 * const big = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 3) });
 * const { report } = prune.admm(big, data, { sparsity: 0.5 });
 * report.layers[0].error < prune.wanda(big, data, { sparsity: 0.5 }).report.layers[0].error; // true
 * ```
 */
export const admm = pruning(
  "admm",
  {
    ...amountDefaults,
    /** Steps, and those of them that choose anew what stays. */
    steps: 20,
    gradual: 15,
    /** What is added to the diagonal of the scaled Gram matrix. */
    damp: 0.1,
  },
  {
    needsData: true,
    layer({ kernel, rows, ...place }, { steps, gradual, damp, ...amount }) {
      needWhole("prune.admm", "steps", steps);
      needWhole("prune.admm", "gradual", gradual);
      const { inputs, units } = place;
      const gram = gramOf(rows(), inputs);
      const norm = Float64Array.from({ length: inputs }, (_, i) => Math.sqrt(gram[i * inputs + i]!) + 1e-8);
      const at = (i: number): number => norm[Math.floor(i / units)]!;
      let trace = 0;
      for (let i = 0; i < gram.length; i++) gram[i]! /= norm[Math.floor(i / inputs)]! * norm[i % inputs]!;
      for (let i = 0; i < inputs; i++) trace += gram[i * inputs + i]!;
      for (let i = 0; i < inputs; i++) gram[i * inputs + i]! += (damp * trace) / inputs;
      let w = kernel.map((value, i) => value * at(i));
      const wanted = product(gram, w, inputs, inputs, units);
      for (let i = 0; i < inputs; i++) gram[i * inputs + i]! += 1;
      const inverse = inverseSymmetric(gram, inputs);
      let u: Matrix = new Float64Array(kernel.length);
      let mask = new Uint8Array(0);
      const sum = (): Matrix => w.map((value, i) => value + u[i]!);
      for (let step = 0; step < steps; step++) {
        const both = sum();
        if (step < gradual) mask = chosen(both, place, amount, 1 - (1 - (step + 1) / gradual) ** 3);
        const z = masked(both, mask);
        u = u.map((value, i) => value + w[i]! - z[i]!);
        const right = wanted.map((value, i) => value + z[i]! - u[i]!);
        w = product(inverse, right, inputs, inputs, units);
      }
      return masked(sum(), mask).map((value, i) => value / at(i));
    },
  },
);

/** What stays when a share of the zeros is reached; with a pattern none go that stay at its end. */
function chosen(
  numbers: Matrix,
  place: { readonly inputs: number; readonly units: number },
  amount: { readonly sparsity: number; readonly pattern: string },
  share: number,
): Uint8Array<ArrayBuffer> {
  const sizes = numbers.map(Math.abs);
  const found = patternOf("prune.admm", amount.pattern);
  const within = { sparsity: amount.sparsity * share, pattern: "" };
  if (found === null) return kept("prune.admm", sizes, place, within, "layer");
  const last = kept("prune.admm", sizes, place, amount, "unit");
  const open = sizes.map((size, i) => (last[i] === 1 ? Number.POSITIVE_INFINITY : size));
  return kept("prune.admm", open, place, { ...within, sparsity: (1 - found[0] / found[1]) * share }, "layer");
}
