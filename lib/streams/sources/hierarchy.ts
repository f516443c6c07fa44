/** Labels that become finer and finer. */
import { type Dataset, type Kind, relabelled, select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { part } from "../parts/chunks.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { relabelOf } from "../parts/tables.ts";
import { needClasses } from "../parts/target.ts";
import { dataSpec, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `hierarchy` can be told. */
export interface HierarchyOptions {
  /**
   * The groups of classes of each level from the coarsest on, without the last level, which is the classes themselves. Default: a binary
   * tree of neighbouring classes.
   */
  readonly groups?: readonly (readonly (readonly number[])[])[];
  /** Whether each training example is in one level alone; default true. False shows all examples at every level. */
  readonly disjoint?: boolean;
  /** Draws which examples come at which level; default 0. */
  readonly seed?: Seed;
}

/**
 * A stream of `depth` levels of labels: first coarse groups of classes, then finer ones, at last the classes themselves. The groups of
 * every level have columns of their own, coarse ones first; a level is a task, tested on all test examples with its labels.
 *
 * B. Lee et al., Online continual learning on hierarchical label expansion, arXiv:2308.14374, section 3.
 *
 * @example
 * ```ts
 * import { digits, hierarchy } from "thalweg";
 * [...hierarchy(digits(), 3)].map((e) => e.classes.length); // [3, 5, 10]
 * ```
 */
export const hierarchy = source("hierarchy", "one", function hierarchy<
  K extends Kind,
>(data: Dataset<K>, depth: number, options: HierarchyOptions = {}): Stream<"boundary" | "labels" | "length", K> {
  const o = withDefaults<Required<HierarchyOptions>>("hierarchy", options, {
    groups: options.groups ?? binary(data.classes.length, needWhole("hierarchy", "depth", depth)),
    disjoint: true,
    seed: 0,
  });
  needClasses("hierarchy", data, "only classes have groups");
  const levels = [...o.groups, data.classes.map((_, c) => [c])];
  if (levels.length !== depth)
    throw new RangeError(
      `hierarchy: groups for ${depth - 1} levels above the classes are required, got ${o.groups.length}`,
    );
  levels.forEach((groups, level) => {
    if (
      groups
        .flat()
        .sort((a, b) => a - b)
        .join() !== data.classes.map((_, c) => c).join()
    )
      throw new RangeError(`hierarchy: each of ${data.classes.length} classes once is required in level ${level}`);
  });
  const starts = levels.map((_, level) => levels.slice(0, level).reduce((sum, groups) => sum + groups.length, 0));
  const columnOf = levels.map((groups, level) => {
    const column = new Int32Array(data.classes.length);
    groups.forEach((group, g) => {
      for (const c of group) column[c] = starts[level]! + g;
    });
    return column;
  });
  const columns = levels.map((groups, level) => groups.map((_, g) => starts[level]! + g));
  const order = rngOf(o.seed, "hierarchy").permutation(data.train.length);
  const at = (of: Dataset["train"], level: number) =>
    relabelled(
      of,
      relabelOf(of, (label) => columnOf[level]![label]!),
    );
  const rowsOf = (level: number) => order.slice(...part(data.train.length, depth, level)).sort();
  return makeStream({
    spec: { name: "hierarchy", args: [depth, options as never], data: dataSpec(data) },
    kind: data.kind,
    shape: data.shape,
    facts: ["boundary", "labels", "length"],
    length: depth,
    classes: levels.flatMap((groups) => groups.map((group) => group.map((c) => data.classes[c]).join("+"))),
    classesOf: (task) => columns[task]!,
    countOf: (index) => (o.disjoint ? rowsOf(index).length : data.train.length),
    test: (task) => ({ examples: at(data.test, task), classes: columns[task]! }),
    experience: (index) => ({
      index,
      task: index,
      classes: columns[index]!,
      train: at(o.disjoint ? select(data.train, rowsOf(index)) : data.train, index),
      validation: null,
      test: at(data.test, index),
    }),
    ...waiting(o.seed, (seed) => hierarchy(data, depth, { ...options, seed })),
  });
});

/** Groups of neighbouring classes, twice as large at each level above the classes. */
function binary(classes: number, depth: number): number[][][] {
  return Array.from({ length: depth - 1 }, (_, level) => {
    const size = 2 ** (depth - 1 - level);
    return Array.from({ length: Math.ceil(classes / size) }, (_, g) =>
      Array.from({ length: Math.min(size, classes - g * size) }, (_, i) => g * size + i),
    );
  });
}
