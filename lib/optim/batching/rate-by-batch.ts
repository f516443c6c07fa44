import { needOneOf } from "../../data/options.ts";
import { batching } from "../batching.ts";

/**
 * The learning rate of a larger batch, from that of a smaller one: `(batch / reference)` times it, or the root of that.
 *
 * Random matrix theory has the largest rate that is stable grow with the batch, as the largest eigenvalue of the batch's curvature falls: linearly for SGD, and as
 * the root for Adam, until the noise of the batch no longer counts. The root also keeps the covariance of the steps of SGD (Hoffer, Hubara and Soudry
 * 2017, arXiv:1705.08741, section 4). The batch is that of training; `times` is `accumulate`'s.
 *
 * Implements: P360 LR vs batch size (random matrix)
 * Granziol, Zohren and Roberts 2022, "Learning rates as a function of batch size", arXiv:2006.09092, section 4.
 * Differs from the paper: the rule alone; their rate and momentum from a Lanczos run during training are not here.
 *
 * @example
 * ```ts
 * import { rateByBatch } from "thalweg";
 * const at = { step: 0, steps: 9, epoch: 0, experience: 0, taken: 0, seen: 0, examples: 90, epochs: 1, batch: 128 };
 * rateByBatch({ rule: "root", reference: 32 }).plan.rate!(at); // 2
 * ```
 */
export const rateByBatch = batching(
  "rateByBatch",
  {
    /** How the rate goes with the batch. */
    rule: "linear" as "linear" | "root",
    /** The batch that the optimizer's rate is meant for. */
    reference: 32,
    /** Batches that make one update. */
    times: 1,
  },
  ({ rule, reference, times }) => {
    needOneOf("rateByBatch", "rule", rule, ["linear", "root"]);
    for (const [name, value] of Object.entries({ reference, times }))
      if (!(value > 0)) throw new RangeError(`rateByBatch: ${name} must be a positive number, got ${value}`);
    return { rate: ({ batch }) => ((batch * times) / reference) ** (rule === "linear" ? 1 : 0.5) };
  },
);
