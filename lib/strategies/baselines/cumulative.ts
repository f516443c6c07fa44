import { joined } from "../../data/dataset.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import { strategy } from "../strategy.ts";

/**
 * Goes on training on everything that has arrived so far: incremental joint training.
 *
 * Work per experience grows with the number of experiences; the past is read from the stream again.
 *
 * @example
 * ```ts
 * import { cumulative } from "thalweg";
 * cumulative();
 * ```
 */
export const cumulative = strategy(
  "cumulative",
  {},
  () => ({
    tokens: true,
    batch: tasksByColumn,
    data: (_state, { index }, { stream }) =>
      joined(Array.from({ length: index + 1 }, (_, i) => stream.experience(i).train)),
  }),
  ["boundary"],
);
