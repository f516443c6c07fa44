/** Whether a network can still learn, at the end of a run: dead units, collapsed representations, grown weights. */
import type { TrainEvent } from "../train/events.ts";
import { type Metric, metric, notDefined } from "./metric.ts";
import { mean } from "./parts/summaries.ts";

/**
 * What the probes of a run measured at its end: the mean over layers of the last measurement of each.
 *
 * Every run is probed before its first step, after every experience, and within experiences as far as `evaluate({ share })` allows.
 * `dormantUnits`, `effectiveRank`, `stableRank`, … are the same quantities for numbers of one's own.
 *
 * @example
 * ```ts
 * import { plasticity } from "thalweg";
 * const probed = (step: number, layer: string, value: number) =>
 *   ({ type: "probed", step, experience: 0, name: "dormantUnits", layer, on: null, value }) as const;
 * plasticity.dormantUnits([probed(10, "a", 0), probed(20, "a", 0.2), probed(20, "b", 0.4)]).value; // 0.3
 * ```
 */
export const plasticity = {
  /** The share of dormant units. */
  dormantUnits: lastProbe("dormantUnits", "share of dormant units, mean over layers, at the end", false, "share"),
  /** The effective rank of features. */
  effectiveRank: lastProbe("effectiveRank", "exp(entropy of singular values), mean over layers, at the end", true),
  /** The stable rank of features. */
  stableRank: lastProbe("stableRank", "Σσ² / σ₁², mean over layers, at the end", true),
  /** The mean absolute weight. */
  weightMagnitude: lastProbe("weightMagnitude", "mean |w|, mean over layers, at the end", false),
};

function lastProbe(
  name: string,
  formula: string,
  higherIsBetter: boolean,
  unit: "share" | "number" = "number",
): Metric {
  return metric(`plasticity.${name}`, { formula, higherIsBetter, unit }, (events: Iterable<TrainEvent>) => {
    const latest = new Map<string | null, { step: number; values: number[] }>();
    for (const event of events) {
      if (event.type !== "probed" || event.name !== name) continue;
      const { layer, step, value } = event;
      const found = latest.get(layer);
      if (found?.step === step) found.values.push(value);
      else latest.set(layer, { step, values: [value] });
    }
    const layers = [...latest.values()].map(({ values }) => mean(values));
    return layers.length > 0 ? mean(layers) : notDefined(`${name} was not measured`);
  });
}
