/** What deletion requests have left of classes: forgotten as asked, and the others kept. */
import type { Evaluated, PartScore, TrainEvent } from "../train/events.ts";
import { type Measured, metric, notDefined } from "./metric.ts";

/**
 * The accuracy at the end on the classes that the learner was asked to forget, over all their test examples. Low is forgotten; what a
 * network that never saw them has is the least that can be asked for.
 *
 * @example
 * ```ts
 * import { forgottenAccuracy } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, loss: 1, taskAware: 1, taskAgnostic: 1, after: 1 } as const;
 * forgottenAccuracy([
 *   { ...shared, on: 0, examples: 40, accuracy: 0.5, forgotten: { examples: 20, accuracy: 0.1 }, retained: { examples: 20, accuracy: 0.9 } },
 *   { ...shared, on: 1, examples: 60, accuracy: 0.8 },
 * ]).value; // 0.1
 * ```
 */
export const forgottenAccuracy = metric(
  "forgottenAccuracy",
  { formula: "Σ n right / Σ n over forgotten classes, at the end", higherIsBetter: false },
  (events) => pooled(events, ({ forgotten }) => forgotten),
);

/**
 * The accuracy at the end on all classes but those that the learner was asked to forget, over all their test examples.
 *
 * @example
 * ```ts
 * import { retainedAccuracy } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, loss: 1, taskAware: 1, taskAgnostic: 1, after: 1 } as const;
 * retainedAccuracy([
 *   { ...shared, on: 0, examples: 40, accuracy: 0.5, forgotten: { examples: 20, accuracy: 0.1 }, retained: { examples: 20, accuracy: 0.9 } },
 *   { ...shared, on: 1, examples: 60, accuracy: 0.8 },
 * ]).value; // (20 · 0.9 + 60 · 0.8) / 80 = 0.825
 * ```
 */
export const retainedAccuracy = metric(
  "retainedAccuracy",
  { formula: "Σ n right / Σ n over retained classes, at the end", higherIsBetter: true },
  (events) => pooled(events, (of) => (of.forgotten === undefined ? of : of.retained)),
);

function pooled(events: Iterable<TrainEvent>, pick: (of: Evaluated) => PartScore | undefined): Measured | number {
  const last = new Map<number, Evaluated>();
  for (const event of events) if (event.type === "evaluated" && event.at === "experience") last.set(event.on, event);
  if (![...last.values()].some(({ forgotten }) => forgotten !== undefined))
    return notDefined("the learner was not asked to forget a class that is evaluated");
  const parts = [...last.values()].map(pick).filter((part) => part !== undefined);
  if (parts.length === 0) return notDefined("no class is retained");
  const examples = parts.reduce((sum, part) => sum + part.examples, 0);
  return parts.reduce((sum, part) => sum + part.examples * part.accuracy, 0) / examples;
}
