/** Backward transfer: what learning later tasks does to earlier ones. Negative is forgetting. */
import { type Measured, type Metric, metric } from "./metric.ts";
import { fromCells } from "./parts/cells.ts";
import { mean } from "./parts/summaries.ts";

/**
 * Backward transfer, by the two definitions in use; they are not the same number.
 *
 * A task is learned when the last of its examples that come on end were seen, so on a stream that is cut into pieces of tasks (`online`)
 * these are the numbers of the stream that was not cut. Lopez-Paz and Ranzato have a row of the matrix "after observing the last sample"
 * of a task. A task that recurs is compared with when it was learned most recently: what it gains when it is trained again is no transfer from
 * other tasks. The task of the last experience is left out, as in the sources; on a stream of one task there is nothing to transfer to.
 *
 * @example
 * ```ts
 * import { bwt } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * const log = [
 *   { ...shared, after: 0, on: 0, accuracy: 0.9 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.6 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.8 },
 * ];
 * bwt.gem(log).value; // 0.6 − 0.9 = −0.3
 * ```
 */
export const bwt: Readonly<Record<"gem" | "diaz" | "positive" | "remembering", Metric>> = {
  /**
   * The change from right after learning to the end: `1/(T−1) Σ_{j<T} (R[T][j] − R[j][j])`.
   *
   * Lopez-Paz and Ranzato 2017 (GEM), arXiv:1706.08840, equation 3.
   */
  gem: metric("bwt.gem", { formula: "1/(T−1) Σ_{j<T} (R[T][j] − R[j][j])", higherIsBetter: true }, (events) =>
    fromCells(events, ({ at, last, lastLearned, earlier }) =>
      mean(earlier().map((task) => at(last, task) - at(lastLearned(last, task), task))),
    ),
  ),
  /**
   * The change from right after learning to every later experience: `2/(T(T−1)) Σ_{i>j} (R[i][j] − R[j][j])`.
   *
   * Díaz-Rodríguez et al. 2018, arXiv:1810.13166; what continuum and CapyMOA compute.
   */
  diaz: metric("bwt.diaz", { formula: "2/(T(T−1)) Σ_{i>j} (R[i][j] − R[j][j])", higherIsBetter: true }, (events) =>
    fromCells(events, ({ at, after, lastLearned, earlier }) =>
      mean(earlier().flatMap((task) => after(task).map((row) => at(row, task) - at(lastLearned(row, task), task)))),
    ),
  ),
  /** What is gained on earlier tasks: `max(0, bwt.diaz)`. Díaz-Rodríguez et al. 2018 call it BWT⁺. */
  positive: metric("bwt.positive", { formula: "max(0, bwt.diaz)", higherIsBetter: true }, (events) =>
    mapped(bwt.diaz(events), (value) => Math.max(0, value)),
  ),
  /** What is kept of earlier tasks: `1 − |min(0, bwt.diaz)|`, 1 when nothing is lost. Díaz-Rodríguez et al. 2018 call it REM. */
  remembering: metric("bwt.remembering", { formula: "1 − |min(0, bwt.diaz)|", higherIsBetter: true }, (events) =>
    mapped(bwt.diaz(events), (value) => 1 - Math.abs(Math.min(0, value))),
  ),
};

function mapped(measured: Measured, change: (value: number) => number): Measured {
  return measured.value === undefined ? measured : { value: change(measured.value) };
}
