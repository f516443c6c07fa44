/** Streams in which every task has the same classes and another view of the same examples. */
import type { Dataset, Examples, Kind } from "../../data/dataset.ts";
import { type Fact, makeStream, type Stream, type StreamParts } from "../stream.ts";

/** @throws RangeError unless `n` is a whole number of experiences from 1, or `Infinity`. */
export function needLength(name: string, n: number): void {
  if (!((Number.isSafeInteger(n) && n >= 1) || n === Infinity))
    throw new RangeError(`${name}: a whole number of tasks from 1, or Infinity, is required, got ${n}`);
}

type Told = "boundary" | "labels" | "length";

/** A stream whose task `t` is all of a data set passed through `transform(t)`. */
export function repeatedTask<K extends Kind>(
  data: Dataset<K>,
  parts: Pick<StreamParts<Told, K>, "spec" | "length" | "seeded"> & {
    readonly transform: (task: number) => (of: Examples) => Examples;
  },
): Stream<Told, K> {
  const all = data.classes.map((_, i) => i);
  const { transform, ...rest } = parts;
  const facts: Fact[] = parts.length === Infinity ? ["boundary", "labels"] : ["boundary", "labels", "length"];
  return makeStream<Told, K>({
    ...rest,
    kind: data.kind,
    ...(data.target && { target: data.target }),
    shape: data.shape,
    facts: facts as Told[],
    classes: data.classes,
    countOf: () => data.train.length,
    classesOf: () => all,
    test: (task) => ({ examples: transform(task)(data.test), classes: all }),
    experience(index) {
      const view = transform(index);
      return { index, task: index, classes: all, train: view(data.train), validation: null, test: view(data.test) };
    },
  });
}
