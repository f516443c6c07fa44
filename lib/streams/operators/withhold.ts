/** Keeps something from the learner. */
import { relabelled } from "../../data/dataset.ts";
import { operatorByCase } from "../operator.ts";
import { retrained } from "../parts/tables.ts";
import { needTarget } from "../parts/target.ts";

/**
 * Stops telling the learner something: which task an example belongs to, when an experience ends, the labels (training examples then have
 * the label −1), or how many experiences there will be. What is evaluated stays the same.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { split, withhold } = operators;
 * withhold("boundary")(split(5)(classes(digits()))).facts; // ["labels", "length"]
 * ```
 */
export const withhold = operatorByCase(
  "withhold",
  {
    task: { drops: ["task"] },
    boundary: { drops: ["boundary"] },
    labels: { drops: ["labels"] },
    length: { drops: ["length"] },
  },
  (fact) => (stream) => {
    if (fact === "task" && stream.head === "multi")
      throw new TypeError(
        'withhold: a stream whose head is not multi is required to withhold the task; use scenario("class")',
      );
    if (fact !== "labels") return {};
    needTarget("withhold", stream);
    return retrained(
      stream,
      (train) => relabelled(train, new Int32Array(train.length).fill(-1)),
      (before) => before,
    );
  },
);
