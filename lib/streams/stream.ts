/** What a stream is: a lazy, seeded, possibly endless sequence of experiences, and what the learner is told of it. */
import { type Dataset, type Examples, type Json, type Kind, type Shape, select, type Target } from "../data/dataset.ts";
import { byClass } from "../data/parts/stratified.ts";

/**
 * Something a stream may tell the learner.
 *
 * `task`: which task an example belongs to, in training and at test time. `boundary`: when one experience ends and the next begins.
 * `labels`: the class of every training example, where classes are asked for. `length`: how many experiences there will be, and so all data at once.
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
  /** The output columns that it needs, in ascending order: those of its task, and where tasks blur those of the classes that leak in. */
  readonly classes: readonly number[];
  readonly train: Examples;
  /** Held out of the training examples by `validation(share)`, else null. */
  readonly validation: Examples | null;
  /** The test examples of its task. */
  readonly test: Examples;
  /** Columns whose classes the learner is asked to forget from now on. */
  readonly forget?: readonly number[];
  /** Who holds the examples, where a stream has several clients: a number from 0. */
  readonly client?: number;
  /** Where labels are asked for one by one: gives the labels of the training examples `at`, until `left` is 0. */
  readonly oracle?: Oracle;
}

/** Someone who knows the labels, and answers so many times. */
export interface Oracle {
  /** How many labels may still be asked for. */
  readonly left: number;
  /** The labels of training examples; what was asked before costs nothing. Throws when more is asked than is left. */
  ask(at: ArrayLike<number>): Int32Array;
}

/** The hidden labels that each oracle knows: it answers for that table alone, not for one that was chosen from it. */
const hidden = new WeakMap<Oracle, Int32Array>();

/** An oracle for a table whose labels are hidden; an operator that chooses among these examples afterwards is refused. */
export function oracleFor(train: Examples, oracle: Oracle): Oracle {
  hidden.set(oracle, train.labels);
  return oracle;
}

/** What a learner may spend on one experience. */
export interface Budget {
  /** Updates of the weights. */
  readonly steps?: number;
  /** Floating-point operations of training. */
  readonly flops?: number;
  /** Bytes kept from one experience to the next, besides the weights. */
  readonly memoryBytes?: number;
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
  /** What the learner gives for an example; "class" unless said otherwise. */
  readonly target: Target;
  /** How many experiences there are; `Infinity` when it never ends. */
  readonly length: number;
  /** A name for each output column; empty when they are not known in advance (the head then grows). */
  readonly classes: readonly string[];
  /** How many tasks are evaluated: the columns of the accuracy matrix. */
  readonly tasks: number;
  /** The experience at a position from 0; made when asked for, never kept. */
  experience(index: number): Experience;
  /** What the learner may spend on each experience; nothing is said where it is not limited. */
  readonly budget?: Budget;
  /** Whether what was taught comes again, and in the test, by design: facts whose recall is asked for, inputs of which there are few. */
  readonly recall?: boolean;
  /** How many training examples the experience at a position has, without making them where that can be told. */
  countOf(index: number): number;
  /** The task that the experience at a position belongs to, without making the experience. */
  taskOf(index: number): number;
  /** The output columns of a task in ascending order, without making its examples. */
  classesOf(task: number): readonly number[];
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
  Partial<
    Pick<
      Stream<F, K>,
      "head" | "target" | "tasks" | "budget" | "recall" | "countOf" | "taskOf" | "classesOf" | "test" | "seeded"
    >
  > & {
    readonly experience: (index: number) => Experience;
  };

/**
 * Makes a stream of its parts: bounds are checked, iteration and JSON follow, each experience is a task unless said otherwise.
 *
 * @throws RangeError when an experience or a task outside the stream is asked for, or an experience has nothing to learn from.
 */
export function makeStream<F extends Fact, K extends Kind>(parts: StreamParts<F, K>): Stream<F, K> {
  const { name } = parts.spec;
  if (parts.length < 1) throw new RangeError(`${name}: at least one experience is required, got none`);
  const tasks = parts.tasks ?? parts.length;
  const inside = (what: string, at: number, end: number): number => {
    if (Number.isInteger(at) && at >= 0 && at < end) return at;
    throw new RangeError(`${name}: ${what} from 0 to ${end - 1} is required, got ${at}`);
  };
  const experience = (index: number): Experience => {
    const made = parts.experience(inside("an experience", index, parts.length));
    if (made.train.length === 0)
      throw new RangeError(
        `${name}: experience ${index} has no training examples; leave its classes out of the stream`,
      );
    if (made.oracle !== undefined && hidden.get(made.oracle) !== made.train.labels)
      throw new TypeError(
        `${name}: a stream that tells its labels, or keeps all its examples, is required, got one whose labels are asked for; put active after ${name}`,
      );
    return made;
  };
  const test = (task: number): ReturnType<Stream["test"]> => {
    inside("a task", task, tasks);
    if (parts.test !== undefined) return parts.test(task);
    const made = experience(task);
    return { examples: made.test, classes: made.classes };
  };
  const spec: StreamSpec = { ...parts.spec, args: parts.spec.args.map(writable) };
  const known = parts.target === undefined || parts.target === "class" || parts.target === "labels";
  const stream: Stream<F, K> = {
    head: "single",
    target: "class",
    seeded: () => stream,
    ...parts,
    facts: known ? parts.facts : parts.facts.filter((fact) => fact !== "labels"),
    spec,
    tasks,
    countOf: (index) => {
      inside("an experience", index, parts.length);
      return parts.countOf === undefined ? parts.experience(index).train.length : parts.countOf(index);
    },
    taskOf: (index) => {
      inside("an experience", index, parts.length);
      if (parts.taskOf !== undefined) return parts.taskOf(index);
      return tasks === parts.length ? index : experience(index).task;
    },
    classesOf: (task) => {
      inside("a task", task, tasks);
      return parts.classesOf === undefined ? test(task).classes : parts.classesOf(task);
    },
    test,
    experience,
    *[Symbol.iterator]() {
      for (let i = 0; i < parts.length; i++) yield experience(i);
    },
    toJSON: () => spec,
  };
  return Object.freeze(stream);
}

/** An argument as JSON can hold it: what never ends is said in a word. What is worked out when it is read is left for then. */
function writable(arg: Json): Json {
  if (arg === Infinity) return "Infinity";
  if (Array.isArray(arg)) return arg.map(writable);
  if (typeof arg !== "object" || arg === null) return arg;
  if (Object.values(Object.getOwnPropertyDescriptors(arg)).some(({ get }) => get !== undefined)) return arg;
  return Object.fromEntries(Object.entries(arg).map(([key, value]) => [key, writable(value)]));
}

/** A whole number, or "run": then it is the seed of the run, and the stream is settled once that is known (until then it is 0). */
export type Seed = number | "run";

/** A source: a function from data sets and arguments to a stream. Its first argument is one data set, a list of them, or neither. */
export type Source<Fn> = Fn & { readonly source: string; readonly takes: "one" | "many" | "none" };

/** Declares a stream source: its name, which is also its file's, and whether its first argument is a data set or a list of them. */
export function source<Fn extends (...args: never[]) => Stream>(
  name: string,
  takes: Source<Fn>["takes"],
  make: Fn,
): Source<Fn> {
  return Object.assign(make, { source: name, takes });
}

/** A message that the type checker shows in place of a stream that cannot be used. */
export interface Why<Sentence extends string> {
  readonly "~why": Sentence;
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

/** Nothing where the stream tells what is needed; a sentence, which no stream has, where it does not. */
export type Requires<F extends Fact, Needs extends Fact> = [Needs] extends [F]
  ? unknown
  : Why<`this operator needs a stream that tells "${Exclude<Needs, F>}"`>;

/** What an example is after an operator: what it was, unless the operator makes something else of it. */
export type KindAfter<K extends Kind, To extends Kind> = [To] extends [never] ? K : To;

/** A function from arguments to a function from stream to stream; every one is a fluent method of the same name. */
export interface Operator<
  Args extends readonly unknown[],
  Needs extends Fact = never,
  Adds extends Fact = never,
  Drops extends Fact = never,
  On extends Kind = Kind,
  To extends Kind = never,
> {
  (
    ...args: Args
  ): <F extends Fact, K extends On>(
    stream: Stream<F, K> & Requires<F, Needs>,
  ) => Stream<After<F, Adds, Drops>, KindAfter<K, To>>;
  /** The operator's name, which is also its file's and its method's. */
  readonly operator: string;
  readonly facts: FactChange<Needs, Adds, Drops>;
}

/** What an operator does to the facts for each value of its first argument. */
export type Cases = Readonly<Record<string, FactChange<Fact, Fact, Fact>>>;

type Listed<T> = T extends readonly (infer U extends Fact)[] ? U : never;
/** The facts of a stream after one case of an operator. */
export type AfterCase<F extends Fact, C> = After<
  F,
  C extends { readonly adds: infer A } ? Listed<A> : never,
  C extends { readonly drops: infer D } ? Listed<D> : never
>;

/** An operator whose first argument, a word, decides what happens to the facts: `scenario("task")`, `withhold("labels")`. */
export interface CaseOperator<C extends Cases, Rest extends readonly unknown[]> {
  <W extends keyof C & string>(
    word: W,
    ...rest: Rest
  ): <F extends Fact, K extends Kind>(stream: Stream<F, K>) => Stream<AfterCase<F, C[W]>, K>;
  readonly operator: string;
  readonly cases: C;
}

/** What the body of an operator gives: the parts that change. */
export type Changed = Partial<Omit<StreamParts<Fact, Kind>, "spec" | "facts">> & {
  /** The operator's arguments as they stand in the spec, where they are not JSON themselves. */
  readonly args?: readonly Json[];
};

/** The data sets that entries of specs stand for, for as long as the spec is there. */
const sets = new WeakMap<object, Dataset>();

/** The spec of data sets, as it stands in a stream's spec; the checksums are worked out when they are first read. */
export function dataSpec(...data: readonly Dataset[]): readonly { name: string; checksum: string }[] {
  return data.map((of) => {
    const entry = {
      name: of.name,
      get checksum() {
        return of.checksum;
      },
    };
    sets.set(entry, of);
    return entry;
  });
}

/** The data sets that a stream of this session was made of, each once: what another process needs to make it again. */
export function dataOf(spec: StreamSpec): Dataset[] {
  const found = new Set<Dataset>();
  const visit = (node: unknown): void => {
    if (node === null || typeof node !== "object") return;
    const set = sets.get(node);
    if (set !== undefined) found.add(set);
    for (const inner of Object.values(node)) visit(inner);
  };
  visit(spec);
  return [...found];
}

/** The examples of the given classes, in their order in the table, with labels passed through `relabel`. */
export function ofClasses(
  of: Examples,
  classes: readonly number[],
  relabel: (label: number) => number = (l) => l,
): Examples {
  const groups = byClass(of.labels);
  const found = [...new Set(classes)].map((label) => groups.get(label) ?? new Uint32Array(0));
  const rows = new Uint32Array(found.reduce((sum, group) => sum + group.length, 0));
  let next = 0;
  for (const group of found) {
    rows.set(group, next);
    next += group.length;
  }
  if (found.length > 1) rows.sort();
  const labels = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) labels[i] = relabel(of.labels[rows[i]!]!);
  return select(of, rows, labels);
}
