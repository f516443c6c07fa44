/** Which output columns compete for which example, under the three kinds of head. */
import type { HostTensor } from "../strategies/strategy.ts";
import type { Experience, Stream } from "../streams/stream.ts";

/** The output columns of a run: how many there are, which were met, and masks over them. */
export interface Columns {
  /** Columns at present. */
  count: number;
  /** Columns that some experience so far has had. */
  readonly met: Set<number>;
  /** Columns that the learner was asked to forget. */
  readonly forgotten: Set<number>;
  /** What competes in training, one row per example or one for all; null when every column does. */
  mask(tasks: Int32Array): HostTensor | null;
  /** What competes at test time with and without knowledge of the task; null when every column does. */
  aware(classes: readonly number[]): HostTensor;
  agnostic(): HostTensor | null;
}

/** Keeps the columns of a run over a stream. */
export function columns(
  stream: Stream,
  count: number,
  met: Iterable<number>,
  forgotten: Iterable<number> = [],
): Columns {
  const ofTask = new Map<number, readonly number[]>();
  const classesOf = (task: number): readonly number[] => {
    let found = ofTask.get(task);
    if (found === undefined) {
      found = stream.test(task).classes;
      if (ofTask.size >= 4096) ofTask.clear();
      ofTask.set(task, found);
    }
    return found;
  };
  const own: Columns = {
    count,
    met: new Set(met),
    forgotten: new Set(forgotten),
    mask(tasks) {
      if (stream.head === "single") return null;
      if (stream.head === "growing") return own.agnostic();
      const data = new Float32Array(tasks.length * own.count);
      for (let i = 0; i < tasks.length; i++) mark(data, classesOf(tasks[i]!), i * own.count);
      return { data, shape: [tasks.length, own.count] };
    },
    aware: (classes) => ({ data: mark(new Float32Array(own.count), classes), shape: [1, own.count] }),
    agnostic: () => (stream.head === "growing" ? own.aware([...own.met]) : null),
  };
  const mark = (data: Float32Array, which: readonly number[], from = 0): Float32Array => {
    for (const column of which) if (column < own.count) data[from + column] = 1;
    return data;
  };
  return own;
}

/**
 * How many output columns an experience needs, with those there are.
 *
 * @throws RangeError when a head of fixed size has none for one of its classes, or a label is of no class at all.
 */
export function needed({ index, classes, train }: Experience, count: number, head: Stream["head"]): number {
  const wanted = Math.max(count, highest(classes));
  if (head !== "growing" && wanted > count)
    throw new RangeError(
      `learn: a class for each of the head's ${count} columns is required, got class ${wanted - 1} in experience ${index}; let the stream name all its classes, or use scenario("class", { head: "growing" })`,
    );
  if (train.targets !== undefined) return wanted;
  const largest = train.labels.reduce((most, label) => Math.max(most, label), -1);
  if (largest >= wanted)
    throw new RangeError(
      `learn: labels below ${wanted}, the number of output columns, are required, got ${largest} in experience ${index}; relabel the examples, or let the stream name all its classes`,
    );
  return wanted;
}

/** How many output columns some classes need. */
export function highest(classes: readonly number[]): number {
  return Math.max(...classes) + 1;
}
