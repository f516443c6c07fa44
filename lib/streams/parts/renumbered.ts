/** Output columns in another order. */
import type { Changed, Stream } from "../stream.ts";
import { reordered } from "./order.ts";
import { retabled } from "./tables.ts";
import { columnsMoved } from "./target.ts";

/** A stream whose columns are numbered in the given order: labels, classes of tasks and names of columns follow. */
export function renumbered(stream: Stream, columns: readonly number[]): Changed {
  const place = reordered(columns);
  return {
    ...retabled(
      stream,
      (of) => columnsMoved(of, stream.target, (column) => place[column]!, columns.length),
      (classes) => classes.map((column) => place[column]!).sort((a, b) => a - b),
    ),
    classes: columns.map((column) => stream.classes[column]!),
  };
}
