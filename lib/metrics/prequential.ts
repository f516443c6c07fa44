/** Test, then train: how well each batch was done before the learner learned from it. */
import type { Stepped, TrainEvent } from "../train/events.ts";
import { metric, notDefined } from "./metric.ts";

/**
 * Performance on every batch before it is learned, the fair measure of learning online where each example is seen once.
 *
 * Gama, Sebastião and Rodrigues 2013, "On evaluating stream learning algorithms". In more than one epoch a batch has been seen
 * before, so only first epochs count.
 *
 * @example
 * ```ts
 * import { prequential } from "thalweg";
 * const step = (step: number, accuracy: number, loss: number) =>
 *   ({ type: "step", step, experience: 0, epoch: 0, loss, terms: { task: loss }, examples: 10, accuracy }) as const;
 * const log = [step(1, 0.1, 2.3), step(2, 0.5, 1.1), step(3, 0.9, 0.5)];
 * prequential.accuracy(log).value; // 0.5
 * prequential.loss(log).value; // 1.3
 * ```
 */
export const prequential = {
  /** The share of examples right before they are learned: `Σ_b n_b a_b / Σ_b n_b`. */
  accuracy: metric(
    "prequential.accuracy",
    { formula: "Σ_b n_b a_b / Σ_b n_b over batches b of first epochs", higherIsBetter: true },
    (events) => {
      let [right, examples] = [0, 0];
      for (const { accuracy, examples: count = 1 } of firstEpochs(events)) {
        if (accuracy === undefined) return notDefined("the accuracy of batches before their update is not in the log");
        right += accuracy * count;
        examples += count;
      }
      return examples > 0 ? right / examples : notDefined("no step was taken");
    },
  ),
  /** The mean loss of the task on each batch before the update, what strategies add left out. */
  loss: metric(
    "prequential.loss",
    { formula: "(1/B) Σ_b loss_b over batches b of first epochs", higherIsBetter: false, unit: "nats" },
    (events) => {
      const losses = firstEpochs(events).map(({ loss, terms }) => terms.task ?? loss);
      return losses.length > 0
        ? losses.reduce((sum, loss) => sum + loss, 0) / losses.length
        : notDefined("no step was taken");
    },
  ),
};

function firstEpochs(events: Iterable<TrainEvent>): Stepped[] {
  return [...events].filter((event): event is Stepped => event.type === "step" && event.epoch === 0);
}
