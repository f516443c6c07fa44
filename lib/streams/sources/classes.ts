/** All classes of a data set at once: what a split makes a class-incremental stream of. */
import type { Dataset, Kind } from "../../data/dataset.ts";
import { withDefaults } from "../../data/options.ts";
import { orderOf, reordered } from "../parts/order.ts";
import { waiting } from "../parts/seed.ts";
import { columnsMoved } from "../parts/target.ts";
import { dataSpec, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `classes` can be told. */
export interface ClassesOptions {
  /**
   * The order in which a later split meets the classes: a seed that draws it, "run" for the run's own seed, or all labels or class names
   * in a list. Columns are numbered in this order. Default: as the data set has them.
   */
  readonly order?: Seed | readonly (number | string)[];
}

/**
 * A stream of one experience that holds all of a data set: all its classes, or whatever else it asks for.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const stream = operators.split(5)(classes(digits()));
 * stream.length; // 5
 * ```
 */
export const classes = source("classes", "one", function classes<
  K extends Kind,
>(data: Dataset<K>, options: ClassesOptions = {}): Stream<"boundary" | "labels" | "length", K> {
  const order = withDefaults<{ order: ClassesOptions["order"] }>("classes", options, { order: undefined }).order;
  const columns = order === undefined ? undefined : orderOf("classes", order, data.classes);
  const place = columns && reordered(columns);
  const target = data.target ?? "class";
  const [train, test] = place
    ? [data.train, data.test].map((of) => columnsMoved(of, target, (column) => place[column]!, place.length))
    : [data.train, data.test];
  const all = data.classes.map((_, i) => i);
  return makeStream({
    spec: { name: "classes", args: order === undefined ? [] : [{ order }], data: dataSpec(data) },
    kind: data.kind,
    target,
    shape: data.shape,
    facts: ["boundary", "labels", "length"],
    length: 1,
    classes: columns ? columns.map((label) => data.classes[label]!) : data.classes,
    classesOf: () => all,
    experience: (index) => ({ index, task: 0, classes: all, train: train!, validation: null, test: test! }),
    ...(order === "run" && waiting(order, (seed) => classes(data, { order: seed }))),
  });
});
