/** One data set in the order in which it was recorded. */
import { type Dataset, type Kind, select } from "../../data/dataset.ts";
import { needWhole } from "../../data/options.ts";
import { part } from "../parts/chunks.ts";
import { dataSpec, makeStream, type Stream, source } from "../stream.ts";

/**
 * A stream of `n` consecutive pieces of a data set in the order of its table: chapters of a text, months of a time series. The test table
 * is cut in the same way, so every piece is a task of its own.
 *
 * @example
 * ```ts
 * import { digits, sequence } from "thalweg";
 * sequence(digits(), 4).experience(3).test.length; // 90
 * ```
 */
export const sequence = source("sequence", "one", function sequence<
  K extends Kind,
>(data: Dataset<K>, n: number): Stream<"boundary" | "labels" | "length", K> {
  needWhole("sequence", "n", n);
  const least = Math.min(data.train.length, data.test.length);
  if (n > least) throw new RangeError(`sequence: at most ${least} pieces are possible, got ${n}`);
  const all = data.classes.map((_, i) => i);
  const piece = (of: Dataset["train"], i: number) => {
    const [from, to] = part(of.length, n, i);
    return select(
      of,
      Uint32Array.from({ length: to - from }, (_, k) => from + k),
    );
  };
  const made = makeStream<"boundary" | "labels" | "length", K>({
    spec: { name: "sequence", args: [n], data: dataSpec(data) },
    kind: data.kind,
    shape: data.shape,
    facts: ["boundary", "labels", "length"],
    target: data.target ?? "class",
    length: n,
    classes: data.classes,
    countOf(index) {
      const [from, to] = part(data.train.length, n, index);
      return to - from;
    },
    classesOf: () => all,
    test: (task) => ({ examples: piece(data.test, task), classes: all }),
    experience(index) {
      const [train, test] = [piece(data.train, index), piece(data.test, index)];
      return { index, task: index, classes: all, train, validation: null, test };
    },
  });
  return made;
});
