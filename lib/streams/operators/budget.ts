/** Says what the learner may spend. */
import { needWhole, withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import type { Budget } from "../stream.ts";

/**
 * Limits what the learner may spend on each experience: updates of the weights, floating-point operations, bytes kept besides the weights.
 * The stream only says it (`stream.budget`); training keeps to it, and the event `learned` says which budget ended an experience.
 *
 * `steps` are counted as they are. `flops` are those of the batches' passes, rows that strategies join included: forwards two for each number
 * of a kernel at each place that it is applied to, three times as many in training; what strategies compute besides is not counted, so that
 * the same experiment takes the same steps on every device. An experience ends with the step that reaches it. `memoryBytes` is what all
 * strategies hold at the end of an experience, and what they read of the past again; a buffer whose capacity is larger is refused before any
 * training. A second budget replaces what it names.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * operators.budget({ steps: 100 })(classes(digits())).budget; // { steps: 100 }
 * ```
 */
export const budget = operator("budget", (limits: Budget) => {
  withDefaults<Partial<Record<keyof Budget, number | undefined>>>("budget", limits, {
    steps: undefined,
    flops: undefined,
    memoryBytes: undefined,
  });
  for (const [name, limit] of Object.entries(limits))
    if (!(typeof limit === "number" && limit > 0))
      throw new RangeError(`budget: ${name} must be a number above 0, got ${limit}`);
  if (limits.steps !== undefined) needWhole("budget", "steps", limits.steps);
  if (Object.keys(limits).length === 0)
    throw new RangeError("budget: at least one of steps, flops, memoryBytes is required");
  return (stream) => ({ budget: { ...stream.budget, ...limits } });
});
