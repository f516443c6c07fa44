/** Classes of an experience in groups, each of which becomes an experience of its own. */
import type { Seed, Stream } from "../stream.ts";
import { columnsOf } from "./order.ts";
import { rngOf } from "./seed.ts";

/** How classes are put in groups: so many groups of one size, these sizes, these classes, a first size and a size of those after, or so many of random sizes. */
export type Groups =
  | number
  | readonly number[]
  | readonly (readonly (number | string)[])[]
  | { readonly first: number; readonly then: number }
  | { readonly parts: number; readonly seed: Seed };

/** How many groups there will be of each experience. */
export function countOf(where: string, groups: Groups, stream: Stream): number {
  return typeof groups === "number"
    ? checked(where, groups)
    : groupsOf(where, groups, stream.classesOf(0), stream).length;
}

function checked(where: string, n: number): number {
  if (!Number.isSafeInteger(n) || n < 1)
    throw new RangeError(`${where}: a whole number of groups from 1 is required, got ${n}`);
  return n;
}

/** The groups of some classes. */
export function groupsOf(
  where: string,
  groups: Groups,
  classes: readonly number[],
  { classes: names }: Stream,
): readonly (readonly number[])[] {
  const total = classes.length;
  if (typeof groups === "number") {
    if (total % groups !== 0) {
      const fitting = Array.from({ length: total }, (_, i) => i + 1).filter((n) => total % n === 0 && n > 1);
      throw new RangeError(
        `${where}: ${total} classes do not divide into ${groups} groups of one size; try ${where}(${fitting.join(`) or ${where}(`)})${groups < total ? `, or sizes: ${where}([${uneven(total, groups)}])` : ""}`,
      );
    }
    return cut(classes, new Array<number>(groups).fill(total / groups));
  }
  if ("parts" in groups) {
    if (checked(where, groups.parts) > total)
      throw new RangeError(`${where}: at most ${total} groups of ${total} classes are possible, got ${groups.parts}`);
    const sizes = new Array<number>(groups.parts).fill(1);
    const rng = rngOf(groups.seed, where);
    for (let i = groups.parts; i < total; i++) sizes[rng.int(groups.parts)]!++;
    return cut(classes, sizes);
  }
  if ("first" in groups) {
    const { first, then } = groups;
    const steps = (total - first) / then;
    if (!Number.isInteger(steps) || steps < 0 || first < 1 || then < 1)
      throw new RangeError(
        `${where}: ${total} classes do not divide into first ${first}, then ${then} each; choose sizes that add up`,
      );
    return cut(classes, [first, ...new Array<number>(steps).fill(then)]);
  }
  if (groups.length === 0) throw new RangeError("split: at least one group is required, got none");
  if (groups.every((size) => typeof size === "number")) {
    const sum = groups.reduce((a, b) => a + b, 0);
    if (sum !== total || groups.some((size) => !Number.isInteger(size) || size < 1))
      throw new RangeError(
        `${where}: sizes that add up to ${total} classes are required, got ${groups.join(" + ")} = ${sum}`,
      );
    return cut(classes, groups);
  }
  const lists = groups as readonly (readonly (number | string)[])[];
  const empty = lists.findIndex((group) => !Array.isArray(group) || group.length === 0);
  if (empty >= 0)
    throw new RangeError(`${where}: at least one class in every group is required, got none in group ${empty}`);
  const items = lists.flat();
  const columns = names.length > 0 ? columnsOf(where, items, names) : items.map(Number);
  const seen = new Set<number>();
  columns.forEach((column, i) => {
    if (!classes.includes(column))
      throw new RangeError(`${where}: one of ${total} classes is required, got ${items[i]}`);
    if (seen.has(column)) throw new RangeError(`${where}: each class once is required, got ${items[i]} twice`);
    seen.add(column);
  });
  return cut(
    columns,
    lists.map((group) => group.length),
  ).map((group) => group.sort((a, b) => a - b));
}

function cut(classes: readonly number[], sizes: readonly number[]): number[][] {
  let start = 0;
  return sizes.map((size) => classes.slice(start, (start += size)));
}

function uneven(total: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => Math.floor(total / n) + (i < total % n ? 1 : 0));
}
