/** What a stream is: a lazy, seeded, possibly endless sequence of experiences, and what the learner is told of it. */
import { type Dataset, type Examples, type Json, type Kind, type Shape, select } from "../data/dataset.ts";

/**
 * Something a stream may tell the learner.
 *
 * `task`: which task an example belongs to, in training and at test time. `boundary`: when one experience ends and the next begins.
 * `labels`: the class of every training example. `length`: how many experiences there will be, and so all data at once.
 */
export type Fact = "task" | "boundary" | "labels" | "length";

/** Which output columns compete in the softmax: all, those of the example's task, or those seen so far. */
export type Head = "single" | "multi" | "growing";

/** What arrives at one moment of a stream. Labels are output columns of the learner. */
export interface Experience {
  /** Position in the stream, from 0. */
  readonly index: number;
  /** The task its examples belong to: a column of the accuracy matrix. Recurring streams meet a task more than once. */
  readonly task: number;
  /** The output columns of its task, in ascending order. */
  readonly classes: readonly number[];
  readonly train: Examples;
  /** Held out of the training examples by `validation(share)`, else null. */
  readonly validation: Examples | null;
  /** The test examples of its task. */
  readonly test: Examples;
}

/** A stream as plain JSON: the operator or source, its arguments, and what it was applied to. */
export interface StreamSpec {
  readonly name: string;
  readonly args: readonly Json[];
  readonly data?: readonly { readonly name: string; readonly checksum: string }[];
  readonly of?: StreamSpec;
}

/** A sequence of experiences. `F` is what the learner is told; `K` is what one example is. */
export interface Stream<F extends Fact = Fact, K extends Kind = Kind> extends Iterable<Experience> {
  readonly spec: StreamSpec;
  readonly kind: K;
  readonly shape: Shape;
  readonly facts: readonly F[];
  readonly head: Head;
  /** How many experiences there are; `Infinity` when it never ends. */
  readonly length: number;
  /** A name for each output column; empty when they are not known in advance (the head then grows). */
  readonly classes: readonly string[];
  /** How many tasks are evaluated: the columns of the accuracy matrix. */
  readonly tasks: number;
  /** The experience at a position from 0; made when asked for, never kept. */
  experience(index: number): Experience;
  /** The test examples of a task and its output columns. */
  test(task: number): { readonly examples: Examples; readonly classes: readonly number[] };
  /** The same stream with everything that depends on the run's seed settled; itself when nothing does. */
  seeded(seed: number): Stream<F, K>;
  toJSON(): StreamSpec;
}

/** What must be said to make a stream; the rest follows from it. */
export type StreamParts<F extends Fact, K extends Kind> = Pick<
  Stream<F, K>,
  "spec" | "kind" | "shape" | "facts" | "length" | "classes"
> &
  Partial<Pick<Stream<F, K>, "head" | "tasks" | "test" | "seeded">> & {
    readonly experience: (index: number) => Experience;
  };

/** Makes a stream of its parts: bounds are checked, iteration and JSON follow, each experience is a task unless said otherwise. */
export function makeStream<F extends Fact, K extends Kind>(parts: StreamParts<F, K>): Stream<F, K> {
  const experience = (index: number): Experience => {
    if (!Number.isInteger(index) || index < 0 || index >= parts.length) {
      throw new RangeError(`${parts.spec.name}: an experience from 0 to ${parts.length - 1} is required, got ${index}`);
    }
    return parts.experience(index);
  };
  const stream: Stream<F, K> = {
    head: "single",
    tasks: parts.length,
    test(task) {
      const { test, classes } = experience(task);
      return { examples: test, classes };
    },
    seeded: () => stream,
    ...parts,
    experience,
    *[Symbol.iterator]() {
      for (let i = 0; i < parts.length; i++) yield experience(i);
    },
    toJSON: () => parts.spec,
  };
  return Object.freeze(stream);
}

/** What an operator does to what the learner is told. */
export interface FactChange<Needs extends Fact, Adds extends Fact, Drops extends Fact> {
  /** Facts the stream must have for the operator to make sense. */
  readonly needs?: readonly Needs[];
  readonly adds?: readonly Adds[];
  readonly drops?: readonly Drops[];
}

/** The facts of a stream after an operator. */
export type After<F extends Fact, Adds extends Fact, Drops extends Fact> = Exclude<F, Drops> | Adds;

/** A function from arguments to a function from stream to stream; every one is a fluent method of the same name. */
export interface Operator<
  Args extends readonly unknown[],
  Needs extends Fact = never,
  Adds extends Fact = never,
  Drops extends Fact = never,
> {
  (...args: Args): <F extends Fact, K extends Kind>(stream: Stream<F, K>) => Stream<After<F, Adds, Drops>, K>;
  /** The operator's name, which is also its file's and its method's. */
  readonly operator: string;
  readonly facts: FactChange<Needs, Adds, Drops>;
}

/** What the body of an operator gives: the parts that change. */
export type Changed = Partial<Omit<StreamParts<Fact, Kind>, "spec" | "facts">>;

/**
 * Declares a stream operator. `build(...args)` gives a function from a stream to the parts that change; name, arguments and facts are
 * recorded in the stream's spec, and an operator that follows a seed-dependent stream is applied again once the seed is known.
 */
export function operator<
  Args extends readonly unknown[],
  Needs extends Fact = never,
  Adds extends Fact = never,
  Drops extends Fact = never,
>(
  name: string,
  build: (...args: Args) => (stream: Stream) => Changed,
  change: FactChange<Needs, Adds, Drops> = {},
): Operator<Args, Needs, Adds, Drops> {
  const make = (...args: Args) => {
    const apply = build(...args);
    return function applied<F extends Fact, K extends Kind>(stream: Stream<F, K>): Stream<After<F, Adds, Drops>, K> {
      for (const fact of change.needs ?? []) {
        if (!(stream.facts as readonly Fact[]).includes(fact)) {
          throw new TypeError(
            `${name}: a stream that tells "${fact}" is required, got one that tells ${stream.facts.join(", ") || "nothing"}`,
          );
        }
      }
      const kept = stream.facts.filter((fact) => !(change.drops as readonly Fact[] | undefined)?.includes(fact));
      const result: Stream<After<F, Adds, Drops>, K> = makeStream({
        kind: stream.kind,
        shape: stream.shape,
        length: stream.length,
        classes: stream.classes,
        head: stream.head,
        experience: (i) => stream.experience(i),
        ...(stream.tasks === stream.length ? {} : { tasks: stream.tasks, test: (task: number) => stream.test(task) }),
        seeded: (seed) => {
          const settled = stream.seeded(seed);
          return settled === stream ? result : applied(settled);
        },
        ...(apply(stream as unknown as Stream) as Partial<StreamParts<After<F, Adds, Drops>, K>>),
        facts: [...new Set([...kept, ...(change.adds ?? [])])] as After<F, Adds, Drops>[],
        spec: { name, args: args as unknown as readonly Json[], of: stream.spec },
      });
      return result;
    };
  };
  return Object.assign(make, { operator: name, facts: change });
}

/** The spec of a data set, as it stands in a stream's spec. */
export function dataSpec(...data: readonly Dataset[]): readonly { name: string; checksum: string }[] {
  return data.map((d) => d.toJSON());
}

/** The examples of the given classes, in their order in the table, with labels passed through `relabel`. */
export function ofClasses(
  of: Examples,
  classes: readonly number[],
  relabel: (label: number) => number = (l) => l,
): Examples {
  const wanted = new Set(classes);
  const at: number[] = [];
  for (let i = 0; i < of.length; i++) if (wanted.has(of.labels[i]!)) at.push(i);
  const rows = Uint32Array.from(at);
  return select(
    of,
    rows,
    Int32Array.from(rows, (i) => relabel(of.labels[i]!)),
  );
}
