import { joined } from "../../data/dataset.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import { strategy } from "../strategy.ts";

/**
 * Trains once, at the end of the stream, on all its examples together: the upper reference.
 *
 * Earlier experiences are skipped, so the accuracy matrix has only its last row. Holds the whole stream in view.
 *
 * @example
 * ```ts
 * import { joint } from "thalweg";
 * joint();
 * ```
 */
export const joint = strategy(
  "joint",
  {},
  () => ({
    tokens: true,
    batch: tasksByColumn,
    data: (_state, experience, { stream }) =>
      experience.index < stream.length - 1 ? null : joined([...stream].map((each) => each.train)),
  }),
  ["length"],
);
