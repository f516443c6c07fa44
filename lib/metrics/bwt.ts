/** Backward transfer: what learning later tasks does to earlier ones. Negative is forgetting. */
import { type Measured, type Metric, metric } from "./metric.ts";
import { fromCells } from "./parts/cells.ts";
import { mean } from "./parts/summaries.ts";

/**
 * Backward transfer, by the two definitions in use; they are not the same number.
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
    fromCells(events, ({ at, last, learned, earlier }) =>
      mean(earlier().map((task) => at(last, task) - at(learned(task), task))),
    ),
  ),
  /**
   * The change from right after learning to every later experience: `2/(T(T−1)) Σ_{i>j} (R[i][j] − R[j][j])`.
   *
   * Díaz-Rodríguez et al. 2018, arXiv:1810.13166; what continuum and CapyMOA compute.
   */
  diaz: metric("bwt.diaz", { formula: "2/(T(T−1)) Σ_{i>j} (R[i][j] − R[j][j])", higherIsBetter: true }, (events) =>
    fromCells(events, ({ at, last, learned, earlier }) =>
      mean(
        earlier().flatMap((task) => {
          const first = learned(task);
          return Array.from({ length: last - first }, (_, later) => at(first + 1 + later, task) - at(first, task));
        }),
      ),
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
