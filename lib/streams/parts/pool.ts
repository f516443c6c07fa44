/** All training examples of a stream as one table, so that they can be dealt out anew. */
import { type Examples, joined, select } from "../../data/dataset.ts";
import type { Changed, Stream } from "../stream.ts";
import { sameTasks } from "./tables.ts";

/** The training examples of all experiences, one after the other. */
export interface Pool {
  readonly train: Examples;
  /** The examples of experience `i` are those from `starts[i]` up to `starts[i + 1]`. */
  readonly starts: Uint32Array;
}

/** Makes the pool of a stream when it is first asked for. It holds the labels and positions of all examples, not the examples. */
export function poolOf(name: string, stream: Stream): () => Pool {
  if (stream.length === Infinity) throw new RangeError(`${name}: a stream that ends is required; slice it first`);
  let made: Pool | undefined;
  return () => {
    if (made === undefined) {
      const parts = [...stream].map((e) => e.train);
      const starts = new Uint32Array(parts.length + 1);
      parts.forEach((part, i) => {
        starts[i + 1] = starts[i]! + part.length;
      });
      made = { train: joined(parts), starts };
    }
    return made;
  };
}

/** The parts of a stream whose examples are dealt out anew over the same experiences: `deal` gives the rows of the pool for each. */
export function dealt(name: string, stream: Stream, deal: (pool: Pool) => readonly Uint32Array[]): Changed {
  const pool = poolOf(name, stream);
  let rows: readonly Uint32Array[] | undefined;
  const rowsOf = (index: number): Uint32Array => {
    rows ??= deal(pool());
    return rows[index]!;
  };
  return {
    ...sameTasks(stream),
    countOf: (index) => rowsOf(index).length,
    experience(index) {
      const e = stream.experience(index);
      const train = select(pool().train, rowsOf(index));
      return { ...e, train, classes: withPresent(e.classes, train) };
    },
  };
}

/** Columns together with those that occur in a table, in ascending order. */
export function withPresent(classes: readonly number[], of: Examples): readonly number[] {
  const all = new Set(classes);
  for (let i = 0; i < of.length; i++) if (of.labels[i]! >= 0) all.add(of.labels[i]!);
  return all.size === classes.length ? classes : [...all].sort((a, b) => a - b);
}

/** The class of each column that occurs in a table, with how often it occurs. */
export function countsIn(of: Examples): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < of.length; i++) counts.set(of.labels[i]!, (counts.get(of.labels[i]!) ?? 0) + 1);
  return counts;
}
