/** Streams that deal the examples of one data set out over their experiences. */
import { type Dataset, type Kind, select } from "../../data/dataset.ts";
import { needWhole } from "../../data/options.ts";
import { type Fact, makeStream, type Stream, type StreamParts } from "../stream.ts";

/** The bounds of the `i`-th of `n` parts of a whole, as even as can be. */
export function part(whole: number, n: number, i: number): readonly [from: number, to: number] {
  return [Math.floor((i * whole) / n), Math.floor(((i + 1) * whole) / n)];
}

/** A stream of `n` experiences, the `i`-th with the `i`-th part of the training examples in the given order; one task, all classes. */
export function chunks<F extends Fact, K extends Kind>(
  data: Dataset<K>,
  n: number,
  order: () => Uint32Array,
  parts: Pick<StreamParts<F, K>, "spec" | "facts" | "seeded">,
): Stream<F, K> {
  needWhole(parts.spec.name, "n", n);
  if (n > data.train.length)
    throw new RangeError(
      `${parts.spec.name}: at most ${data.train.length} experiences of one example are possible, got ${n}`,
    );
  const all = data.classes.map((_, i) => i);
  let rows: Uint32Array | undefined;
  return makeStream<F, K>({
    ...parts,
    kind: data.kind,
    ...(data.target && { target: data.target }),
    shape: data.shape,
    length: n,
    classes: data.classes,
    tasks: 1,
    taskOf: () => 0,
    classesOf: () => all,
    test: () => ({ examples: data.test, classes: all }),
    countOf(index) {
      const [from, to] = part(data.train.length, n, index);
      return to - from;
    },
    experience(index) {
      rows ??= order();
      const train = select(data.train, rows.slice(...part(data.train.length, n, index)));
      return { index, task: 0, classes: all, train, validation: null, test: data.test };
    },
  });
}
