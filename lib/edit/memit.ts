import { editing, valueDefaults } from "./editing.ts";
import { leastSquares, withDiagonal } from "./parts/least-squares.ts";

/**
 * MEMIT: many facts are written into a layer at once, by the least squares of their values against those of known keys:
 * `Δ = (KᵀK + hold · C)⁻¹ Kᵀ R`.
 *
 * C is the mean of the outer products of known keys; keys of earlier edits (`past`) count like known ones, each once.
 *
 * Meng et al. 2022, arXiv:2210.07229, eq. 14 and algorithm 1.
 * Differs from the paper: one layer, not several that share the change; `hold` is for small networks, its 15,000 for GPT-J.
 *
 * @example
 * ```ts
 * import { classes, edit, edits, adam, net, sequence } from "thalweg";
 * const stream = edits(4, { subjects: 10, batch: 2 });
 * const study = stream.slice(0, 1).learn(net().embedding(14, 16).transformer(2).last()).with(adam({ lr: 0.01 })).train({ epochs: 20 });
 * const network = await (await study.run({ quiet: true, record: false })).network();
 * const { train } = stream.experience(1);
 * const { report } = edit.memit(network, train, { known: stream.test(0).examples });
 * report.after; // 1
 * ```
 */
export const memit = editing("memit", { ...valueDefaults, until: 0.95, hold: 10 }, (editor, { hold, ...how }) => {
  const { kernel, known, knownCount, past } = editor;
  const { inputs, units } = editor.site;
  const held = known.map((x, i) => (hold * x) / Math.max(1, knownCount) + past[i]!);
  const keys = editor.keys(kernel);
  const change = leastSquares(keys, editor.changes(kernel, how), withDiagonal(held, inputs, 1e-6), inputs, units);
  return kernel.map((w, i) => w + change[i]!);
});
