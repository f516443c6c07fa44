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

/** Five pairs of classes in an order drawn from the run's seed. */
export const drawnPairs: Made = (data) => split(5)(order("run")(classes(data))) as unknown as Stream;

/** A class-incremental stream in which the columns of the classes seen so far compete, not all from the start. */
export const growing =
  (stream: Made): Made =>
  (data) =>
    scenario("class", { head: "growing" })(stream(data) as never) as unknown as Stream;

/** A stream as a task-, a domain- and a class-incremental one; `inClass` is the last where it is not the stream itself. */
export function threeScenarios(stream: Made, inClass: Made = stream): Protocol["scenarios"] {
  const as =
    (word: "task" | "domain"): Made =>
    (data) =>
      scenario(word)(stream(data) as never) as unknown as Stream;
  return {
    task: { stream: as("task"), told: "taskAware" },
    domain: { stream: as("domain"), told: "taskAgnostic" },
    class: { stream: inClass, told: "taskAgnostic" },
  };
}
