/** How good the learner is at every moment, not only when an experience is over. */
import type { TrainEvent } from "../train/events.ts";
import { type Measured, metric, notDefined } from "./metric.ts";
import { averageCurve, type Curve, evaluatedWithin, evaluationsOf } from "./parts/curves.ts";
import { mean } from "./parts/summaries.ts";

/**
 * Accuracy over the whole run: the first two take the mean over the tasks met so far at every evaluation, and average it over the run; the
 * others are counted at every arrival of an experience.
 *
 * @example
 * ```ts
 * import { anytime } from "thalweg";
 * const evaluated = (at: "step" | "experience", step: number, accuracy: number) =>
 *   ({ type: "evaluated", at, step, after: 0, on: 0, accuracy, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 }) as const;
 * const log = [evaluated("step", 10, 0.2), evaluated("step", 20, 0.6), evaluated("experience", 40, 0.8)];
 * anytime.averageAccuracy(log).value; // (0.2 + 0.6 + 0.8) / 3 = 0.5333
 * anytime.area(log).value; // (0.4 · 10 + 0.7 · 20) / 30 = 0.6
 * ```
 */
export const anytime = {
  /**
   * The mean over evaluations of the average accuracy on the tasks met so far (AAA): `(1/N) Σ_n (1/k_n) Σ_{j≤k_n} A_j(n)`.
   *
   * Caccia et al. 2022, arXiv:2104.05025. Evaluations count alike, however many steps lie between them.
   */
  averageAccuracy: metric(
    "anytime.averageAccuracy",
    { formula: "(1/N) Σ_n (1/k_n) Σ_{j≤k_n} A_j(n)", higherIsBetter: true },
    (events) => along(events, ({ y }) => mean(y)),
  ),
  /**
   * The area under the curve of the average accuracy on the tasks met so far, by trapezoids, over the steps it spans.
   *
   * The online-learning literature's AUC of accuracy: Koh et al. 2022 (i-Blurry), arXiv:2110.10031.
   * Differs from the paper: theirs counts samples and sums rectangles; equal as evaluations become dense.
   */
  area: metric("anytime.area", { formula: "1/(s_N − s_1) ∫ (1/k) Σ_{j≤k} A_j(s) ds", higherIsBetter: true }, (events) =>
    along(events, ({ x, y }) => {
      if (x.length < 2) return notDefined("an area needs two evaluations at least");
      const slices = x.slice(1).map((step, index) => ((y[index]! + y[index + 1]!) / 2) * (step - x[index]!));
      return slices.reduce((sum, slice) => sum + slice, 0) / (x.at(-1)! - x[0]!);
    }),
  ),
  /**
   * The error at every arrival of an experience, added up: `Σ_i (1/k) Σ_j (1 − A_j)` over the k tasks evaluated last. An experience that was
   * not trained on has the error of the evaluation before it, which without one is that before any training.
   *
   * L. Caccia et al. 2022 (ALMA), arXiv:2106.09563, section 3 (cumulative error rate).
   */
  cumulativeError: metric(
    "anytime.cumulativeError",
    { formula: "Σ_i (1/k) Σ_j (1 − A_j) at the i-th arrival", higherIsBetter: false, unit: "number" },
    (events) => {
      const found = atArrivals([...events], "evaluated");
      if (found.length === 0) return notDefined("nothing arrived");
      if (found.some((accuracies) => accuracies.length === 0))
        return notDefined("an experience passed before anything was evaluated; evaluate({ atStart: true }) does so");
      return { value: found.reduce((sum, accuracies) => sum + 1 - mean(accuracies), 0) };
    },
  ),
  /**
   * The bytes of all tensors of the network, its optimizer and its strategies at every arrival of an experience, added up (ALMA's cumulative memory,
   * theirs without the optimizer).
   */
  cumulativeMemory: metric(
    "anytime.cumulativeMemory",
    { formula: "Σ_i stateBytes after the i-th arrival", higherIsBetter: false, unit: "bytes" },
    (events) => {
      const found = atArrivals([...events], "stateBytes").flatMap((bytes) => bytes.slice(-1));
      return found.length > 0 ? { value: found.reduce((sum, bytes) => sum + bytes, 0) } : notDefined("nothing arrived");
    },
  ),
};

/** What was known after each arrival: the last accuracy of each task, or the last measurement. */
function atArrivals(log: readonly TrainEvent[], what: "evaluated" | "stateBytes"): number[][] {
  const last = new Map<number, number>();
  const found: number[][] = [];
  let arrived = false;
  for (const event of log) {
    if (event.type === "learned") {
      if (arrived) found.push([...last.values()]);
      arrived = true;
    }
    if (what === "evaluated" && event.type === "evaluated" && event.at !== "step") last.set(event.on, event.accuracy);
    if (what === "stateBytes" && event.type === "probed" && event.name === what) last.set(0, event.value);
  }
  if (arrived) found.push([...last.values()]);
  return found;
}

function along(events: Iterable<TrainEvent>, measure: (curve: Curve) => Measured | number): Measured {
  const log = [...events];
  if (!evaluatedWithin(log)) {
    return notDefined(
      "the tasks were evaluated only after whole experiences; evaluate({ everySteps: 10 }) shows what lies between",
    );
  }
  const curve = averageCurve(evaluationsOf(log));
  if (curve.x.length === 0) return notDefined("the tasks met were never evaluated together");
  const result = measure(curve);
  return typeof result === "number" ? { value: result } : result;
}
