/** The stream of most published tables, five pairs of classes, and the three scenarios that it comes in. */
import type { Dataset, Kind } from "../../data/dataset.ts";
import { order } from "../../streams/operators/order.ts";
import { scenario } from "../../streams/operators/scenario.ts";
import { split } from "../../streams/operators/split.ts";
import { classes } from "../../streams/sources/classes.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Protocol } from "../conform.ts";

type Made = (data: Dataset<Kind>) => Stream;

/** Five pairs of classes in the order of their labels. */
export const pairs: Made = (data) => split(5)(classes(data)) as unknown as Stream;

/** Five pairs of classes in another order. */
export const orderedPairs =
  (by: Parameters<typeof order>[0]): Made =>
  (data) =>
    split(5)(order(by)(classes(data))) as unknown as Stream;

/** Five pairs of classes in an order drawn from the run's seed. */
export const drawnPairs = orderedPairs("run");

/** A stream as a task-, a domain- and a class-incremental one; in the last all columns compete from the start, or those seen so far. */
export function threeScenarios(stream: Made, head: "single" | "growing" = "single"): Protocol["scenarios"] {
  const as =
    (operator: (stream: never) => unknown): Made =>
    (data) =>
      operator(stream(data) as never) as Stream;
  return {
    task: { stream: as(scenario("task")), told: "taskAware" },
    domain: { stream: as(scenario("domain")), told: "taskAgnostic" },
    class: { stream: head === "single" ? stream : as(scenario("class", { head })), told: "taskAgnostic" },
  };
}
