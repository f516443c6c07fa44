import { needWhole } from "../data/options.ts";
import { type Matrix, squaresOf } from "../models/parts/kernel-layers.ts";
import { amountDefaults, kept, masked } from "./parts/masks.ts";
import { pruning } from "./pruning.ts";

/**
 * DSnoT: after Wanda each unit takes back numbers and gives up others, one pair after the other, as long as that brings what it gives on average
 * nearer to what it gave. No weight is changed otherwise, and as many are 0 as before.
 *
 * A unit's expected error is the sum of its removed numbers times the means of their inputs. What comes back has the largest share of the error,
 * divided by the variance of its input; what goes in its place has the smallest score of Wanda among those that pull the other way. A unit stops when
 * its error would change its sign, or is below `least`.
 *
 * Implements: P045 DSnoT
 *
 * Zhang et al. 2023, "Dynamic sparse no training", arXiv:2310.08915, section 3 and equations 5 to 8; defaults and order of the authors' program.
 * Differs from the paper: it begins from Wanda's shares alone, not from N:M patterns.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 6 }).train;
 * const big = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 3) });
 * prune.dsnot(big, data, { sparsity: 0.5 }).report.layers[0].sparsity; // 0.5
 * ```
 */
export const dsnot = pruning(
  "dsnot",
  {
    ...amountDefaults,
    /** Pairs that a unit may exchange. */
    cycles: 50,
    /** The expected error below which a unit stops. */
    least: 0.1,
    /** The power of the inputs' variance that shares are divided by. */
    power: 1,
  },
  {
    needsData: true,
    layer({ kernel, rows, ...place }, { cycles, least, power, ...amount }) {
      needWhole("prune.dsnot", "cycles", cycles);
      if (amount.pattern !== "")
        throw new TypeError(
          `prune.dsnot: a share is required, got the pattern "${amount.pattern}"; use prune.wanda for patterns`,
        );
      const { inputs, units } = place;
      const seen = rows();
      const { mean, variance, length } = momentsOf(seen, inputs);
      const scores = kernel.map((w, i) => Math.abs(w) * length[Math.floor(i / units)]!);
      const mask = kept("prune.dsnot", scores, place, amount, "unit");
      for (let unit = 0; unit < units; unit++) {
        const at = (input: number): number => input * units + unit;
        const pull = Float64Array.from({ length: inputs }, (_, i) => kernel[at(i)]! * mean[i]!);
        const all = Array.from(pull.keys());
        const [gone, stay] = [all.filter((i) => mask[at(i)] === 0), all.filter((i) => mask[at(i)] === 1)];
        const wish = (i: number): number => (mask0.has(i) ? pull[i]! / variance[i]! ** power : 0);
        const mask0 = new Set(gone);
        const back = all.slice().sort((a, b) => wish(a) - wish(b) || a - b);
        stay.sort((a, b) => scores[at(a)]! - scores[at(b)]! || a - b);
        const away = [...stay.filter((i) => pull[i]! < 0), ...stay.filter((i) => pull[i]! > 0).reverse()];
        let error = gone.reduce((sum, i) => sum + pull[i]!, 0);
        const sign = Math.sign(error);
        let [firstBack, lastBack, firstAway, lastAway] = [0, back.length - 1, 0, away.length - 1];
        for (let cycle = 0; cycle < cycles && Math.abs(error) > least; cycle++) {
          const comes = back[error > 0 ? lastBack-- : firstBack++];
          const goes = away[error < 0 ? lastAway-- : firstAway++];
          if (comes === undefined || goes === undefined || !mask0.has(comes) || mask[at(goes)] === 0) break;
          const after = error + pull[goes]! - pull[comes]!;
          if (Math.sign(after) !== sign) break;
          [mask[at(goes)], mask[at(comes)], error] = [0, 1, after];
        }
      }
      return masked(kernel, mask);
    },
  },
);

/** Of each column its mean, its variance and its length. */
function momentsOf(rows: Matrix, inputs: number): Record<"mean" | "variance" | "length", Matrix> {
  const n = rows.length / inputs;
  const mean = new Float64Array(inputs);
  rows.forEach((value, at) => {
    mean[at % inputs]! += value / n;
  });
  const squares = squaresOf(rows, inputs);
  return {
    mean,
    variance: squares.map((square, i) => Math.max(square / n - mean[i]! ** 2, 1e-12)),
    length: squares.map(Math.sqrt),
  };
}
