/** The same classes in several data sets, one after another. */
import type { Dataset, Kind } from "../../data/dataset.ts";
import { dataSpec, makeStream, type Stream, source } from "../stream.ts";

/**
 * A stream of one task per data set, all with the same classes and the same shape: the domains in which they are seen. Labels are those of
 * the data sets, whose classes may have other names, but not the same names in another order, or other numbers.
 *
 * @example
 * ```ts
 * import { blobs, domains } from "thalweg";
 * domains([blobs({ seed: 1 }), blobs({ seed: 2 })]).length; // 2
 * ```
 */
export const domains = source("domains", "many", function domains<K extends Kind>(data: readonly Dataset<K>[]): Stream<
  "boundary" | "labels" | "length",
  K
> {
  const [first] = data;
  if (first === undefined) throw new RangeError("domains: at least one data set is required, got none");
  for (const set of data) {
    if (set.kind !== first.kind || String(set.shape) !== String(first.shape))
      throw new TypeError(
        `domains: data sets of one kind and shape are required, got ${first.kind} [${first.shape}] and ${set.kind} [${set.shape}]; datasets() takes unlike ones`,
      );
    if ((set.target ?? "class") !== (first.target ?? "class"))
      throw new TypeError(
        `domains: data sets that ask for the same are required, got ${first.target ?? "class"} and ${set.target ?? "class"}`,
      );
    if (set.classes.length !== first.classes.length)
      throw new TypeError(
        `domains: data sets of the same classes are required, got ${first.classes.length} and ${set.classes.length}; datasets() takes unlike ones`,
      );
  }
  for (const set of data) {
    const [own, other] = [first.classes, set.classes];
    const reordered = [...own].sort().join("\n") === [...other].sort().join("\n");
    const numerals = [...own, ...other].every((name) => /^-?\d+$/.test(name));
    if (own.join("\n") !== other.join("\n") && (reordered || numerals))
      throw new TypeError(
        `domains: data sets with the same classes in one order are required, got ${own.join(", ")} and ${other.join(", ")}; give each all the names: { classes: [${own.map((name) => JSON.stringify(name)).join(", ")}] }`,
      );
  }
  const all = first.classes.map((_, i) => i);
  return makeStream({
    spec: { name: "domains", args: [], data: dataSpec(...data) },
    kind: first.kind,
    ...(first.target && { target: first.target }),
    shape: first.shape,
    facts: ["boundary", "labels", "length"],
    length: data.length,
    classes: first.classes,
    countOf: (index) => data[index]!.train.length,
    classesOf: () => all,
    test: (task) => ({ examples: data[task]!.test, classes: all }),
    experience(index) {
      const { train, test } = data[index]!;
      return { index, task: index, classes: all, train, validation: null, test };
    },
  });
});
