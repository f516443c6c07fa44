/** How often a learner is wrong while it adapts to what it predicts. */
import { metric, notDefined } from "./metric.ts";

/**
 * The share of test examples predicted wrong as they arrived, over the last round of evaluations: of a learner that adapts at test time, each
 * batch counts as it was predicted then, before the batches after it had taught anything.
 *
 * Wang et al. 2021, "Tent", arXiv:2006.10726, section 4.1: the online error.
 *
 * @example
 * ```ts
 * import { onlineError } from "thalweg";
 * const batch = (accuracy: number) => ({ examples: 10, accuracy });
 * const one = { taskAware: 0.75, taskAgnostic: 0.75, loss: 1, examples: 20, accuracy: 0.75 };
 * const log = [{ type: "evaluated", step: 5, at: "experience", after: 0, on: 0, ...one, online: [batch(0.6), batch(0.9)] }] as const;
 * onlineError(log).value; // 0.25
 * ```
 */
export const onlineError = metric(
  "onlineError",
  { formula: "1 − Σ_b n_b a_b / Σ_b n_b over the batches of all tasks of the last round", higherIsBetter: false },
  (events) => {
    const rounds = [...events].flatMap((event) => (event.type === "evaluated" && event.online ? [event] : []));
    const last = rounds.at(-1);
    if (last === undefined) return notDefined("no strategy learns at test time");
    const batches = rounds
      .filter(({ step, at }) => step === last.step && at === last.at)
      .flatMap(({ online }) => online!);
    const examples = batches.reduce((sum, batch) => sum + batch.examples, 0);
    return 1 - batches.reduce((sum, batch) => sum + batch.examples * batch.accuracy, 0) / examples;
  },
);
