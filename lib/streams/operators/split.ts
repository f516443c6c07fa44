/** Splits every experience by its classes. */

import { operator } from "../operator.ts";
import { columnsOf } from "../parts/order.ts";
import { rngOf } from "../parts/seed.ts";
import { withTables } from "../parts/tables.ts";
import { type Changed, type Experience, ofClasses, type Seed, type Stream } from "../stream.ts";

/** How classes are put in groups: so many groups of one size, these sizes, these classes, a first size and a size of those after, or so many of random sizes. */
export type Groups =
  | number
  | readonly number[]
  | readonly (readonly (number | string)[])[]
  | { readonly first: number; readonly then: number }
  | { readonly parts: number; readonly seed: Seed };

/**
 * Splits each experience into several by its classes, in the order of the columns: `split(5)` into five of one size, `split([4, 3, 3])`
 * into these sizes, `split([[1, 4], [5, 7]])` into these classes, by column or by name (those not named are left out), and
 * `split({ first: 50, then: 10 })` into a base and increments, `split({ parts: 5, seed: "run" })` into five of sizes drawn at random (each
 * has one class, every other class goes to any of them). Labels stay as they are; each part is a task of its own.
 *
 * @throws RangeError when the classes do not divide into the groups, or a class is named twice or does not exist.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const stream = operators.split({ first: 4, then: 2 })(classes(digits()));
 * [...stream].map((e) => e.classes.length); // [4, 2, 2, 2]
 * ```
 */
export const split = operator(
  "split",
  (groups: Groups) => (stream) => {
    const counted = typeof groups === "number" ? checked(groups) : groupsOf(groups, stream.classesOf(0), stream).length;
    const length = stream.length * counted;
    const known = new WeakMap<readonly number[], readonly (readonly number[])[]>();
    const groupOf = (task: number): readonly number[] => {
      const classes = stream.classesOf(Math.floor(task / counted));
      const of = known.get(classes) ?? groupsOf(groups, classes, stream);
      known.set(classes, of);
      return of[task % counted]!;
    };
    // with a group number per experience, a task met again is split the same way again
    const taskOf = (index: number) => stream.taskOf(Math.floor(index / counted)) * counted + (index % counted);
    if (stream.tasks !== Infinity) for (let task = 0; task < stream.tasks; task++) groupOf(task * counted);
    return {
      length,
      tasks: stream.tasks * counted,
      taskOf,
      classesOf: groupOf,
      experience(index): Experience {
        const e = stream.experience(Math.floor(index / counted));
        const task = taskOf(index);
        const classes = groupOf(task);
        return { ...withTables(e, (of) => ofClasses(of, classes)), index, task, classes };
      },
      test(task) {
        const classes = groupOf(task);
        const { examples } = stream.test(Math.floor(task / counted));
        return { examples: ofClasses(examples, classes), classes };
      },
    } satisfies Changed;
  },
  { needs: ["labels", "boundary"], targets: ["class", "labels"] },
);

function checked(n: number): number {
  if (!Number.isSafeInteger(n) || n < 1)
    throw new RangeError(`split: a whole number of groups from 1 is required, got ${n}`);
  return n;
}

function groupsOf(
  groups: Groups,
  classes: readonly number[],
  { classes: names }: Stream,
): readonly (readonly number[])[] {
  const total = classes.length;
  if (typeof groups === "number") {
    if (total % groups !== 0) {
      const fitting = Array.from({ length: total }, (_, i) => i + 1).filter((n) => total % n === 0 && n > 1);
      throw new RangeError(
        `split: ${total} classes do not divide into ${groups} groups of one size; try split(${fitting.join(") or split(")})${groups < total ? `, or sizes: split([${uneven(total, groups)}])` : ""}`,
      );
    }
    return cut(classes, new Array<number>(groups).fill(total / groups));
  }
  if ("parts" in groups) {
    if (checked(groups.parts) > total)
      throw new RangeError(`split: at most ${total} groups of ${total} classes are possible, got ${groups.parts}`);
    const sizes = new Array<number>(groups.parts).fill(1);
    const rng = rngOf(groups.seed, "split");
    for (let i = groups.parts; i < total; i++) sizes[rng.int(groups.parts)]!++;
    return cut(classes, sizes);
  }
  if ("first" in groups) {
    const { first, then } = groups;
    const steps = (total - first) / then;
    if (!Number.isInteger(steps) || steps < 0 || first < 1 || then < 1)
      throw new RangeError(
        `split: ${total} classes do not divide into first ${first}, then ${then} each; choose sizes that add up`,
      );
    return cut(classes, [first, ...new Array<number>(steps).fill(then)]);
  }
  if (groups.length === 0) throw new RangeError("split: at least one group is required, got none");
  if (groups.every((size) => typeof size === "number")) {
    const sum = groups.reduce((a, b) => a + b, 0);
    if (sum !== total || groups.some((size) => !Number.isInteger(size) || size < 1))
      throw new RangeError(
        `split: sizes that add up to ${total} classes are required, got ${groups.join(" + ")} = ${sum}`,
      );
    return cut(classes, groups);
  }
  const lists = groups as readonly (readonly (number | string)[])[];
  const empty = lists.findIndex((group) => !Array.isArray(group) || group.length === 0);
  if (empty >= 0)
    throw new RangeError(`split: at least one class in every group is required, got none in group ${empty}`);
  const items = lists.flat();
  const columns = names.length > 0 ? columnsOf("split", items, names) : items.map(Number);
  const seen = new Set<number>();
  columns.forEach((column, i) => {
    if (!classes.includes(column)) throw new RangeError(`split: one of ${total} classes is required, got ${items[i]}`);
    if (seen.has(column)) throw new RangeError(`split: each class once is required, got ${items[i]} twice`);
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
