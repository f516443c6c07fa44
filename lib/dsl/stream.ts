/** Streams with their operators as methods. No logic: each method calls the operator of its name. */
import type { Dataset, Kind } from "../data/dataset.ts";
import { type ExperienceTableOptions, experienceTable } from "../metrics/experience-table.ts";
import type { DataFrame } from "../metrics/frame.ts";
import type { Model } from "../models/model.ts";
import type { Figure } from "../plots/figure.ts";
import { streamDrift } from "../plots/stream-drift.ts";
import { streamSamples } from "../plots/stream-samples.ts";
import { streamTimeline } from "../plots/stream-timeline.ts";
import { streamTree } from "../plots/stream-tree.ts";
import { shown } from "../runs/run.ts";
import * as operators from "../streams/operators/index.ts";
import type {
  After,
  AfterCase,
  CaseOperator,
  Experience,
  Fact,
  KindAfter,
  Operator,
  Stream,
  Why,
} from "../streams/stream.ts";
import { type Study, study } from "./study.ts";

type Operators = typeof operators;

/** Whether examples of kind `K` can be given to what takes `On`; a kind that is not known to the compiler is checked when it runs. */
type Fits<K extends Kind, On extends Kind> = [Kind] extends [K] ? true : [K] extends [On] ? true : false;

type Method<O, F extends Fact, K extends Kind> =
  O extends CaseOperator<infer C, infer Rest>
    ? <W extends keyof C & string>(word: W, ...rest: Rest) => Fluent<AfterCase<F, C[W]>, K>
    : O extends Operator<infer Args, infer Needs, infer Adds, infer Drops, infer On, infer To>
      ? Fits<K, On> extends true
        ? [Needs] extends [F]
          ? (...args: Args) => Fluent<After<F, Adds, Drops>, KindAfter<K, To>>
          : Why<`this operator needs a stream that tells "${Exclude<Needs, F>}"`>
        : Why<`this operator takes ${On} examples, and this stream has ${K} examples`>
      : never;

/** A stream whose operators are methods. `F` is what the learner is told; `K` is what one example is. */
export type Fluent<F extends Fact = Fact, K extends Kind = Kind> = Stream<F, K> & {
  /** The experience at a position: `stream[2]`. */
  readonly [index: number]: Experience;
} & {
  readonly [O in keyof Operators]: Method<Operators[O], F, K>;
} & {
  /** Begins a study: this stream, learnt by this model; the stream's scenario adds the head. */
  learn<M extends Kind>(
    model: Model<M> &
      (Fits<K, M> extends true ? unknown : Why<`this model takes ${M} examples, and the stream has ${K} examples`>),
  ): Study<F>;
  /** What it shows in a notebook: a picture of what arrives when. */
  picture(): Figure;
  /** The experiences as a table: classes, examples, steps, drift. */
  table(options?: ExperienceTableOptions): DataFrame;
  /** Applies a function of streams: the way to operators of one's own. */
  pipe<G extends Fact, L extends Kind>(change: (stream: Stream<F, K>) => Stream<G, L>): Fluent<G, L>;
};

const methods: Record<string, (this: Stream, ...args: never[]) => unknown> = Object.fromEntries(
  Object.entries(operators as unknown as Record<string, (...args: never[]) => (stream: Stream) => Stream>).map(
    ([name, make]) => [
      name,
      function (this: Stream, ...args: never[]) {
        return fluent(make(...args)(this));
      },
    ],
  ),
);

const prototype = {
  ...methods,
  learn(this: Stream, model: Model) {
    return study(this, model);
  },
  picture(this: Stream) {
    return picture(this);
  },
  table(this: Stream, options?: ExperienceTableOptions) {
    return experienceTable(this, options);
  },
  pipe(this: Stream, change: (stream: Stream) => Stream) {
    return fluent(change(this));
  },
  [Symbol.for("Jupyter.display")](this: Stream) {
    const bundle = shown(picture(this));
    const rows = experienceTable(this, { experiences: 12, examples: 0 }).toText();
    return { ...bundle, "text/plain": `${bundle["text/plain"]}\n\n${rows}` };
  },
};

/**
 * The picture of a stream before any training: which classes arrive when; where every task has the same classes, examples of each; where
 * numbers are asked for, how far the stream moves; where labels expand, their tree.
 */
export function picture(stream: Stream): Figure {
  if (stream.spec.name === "hierarchy") return streamTree(stream);
  if (stream.target !== "class" && stream.target !== "labels") return streamDrift(stream);
  const far = stream.length === Infinity ? 1 : stream.length - 1;
  const same = far > 0 && String(stream.classesOf(stream.taskOf(0))) === String(stream.classesOf(stream.taskOf(far)));
  return same && stream.tasks > 1 && stream.kind === "image" ? streamSamples(stream) : streamTimeline(stream);
}

/** Gives a stream its fluent methods, and its experiences by position. */
export function fluent<F extends Fact, K extends Kind>(stream: Stream<F, K>): Fluent<F, K> {
  const made = Object.freeze(Object.assign(Object.create(prototype), stream)) as Fluent<F, K>;
  return new Proxy(made, {
    get: (target, key, self) =>
      typeof key === "string" && /^\d+$/.test(key) ? target.experience(Number(key)) : Reflect.get(target, key, self),
  });
}

/** A source whose streams are fluent. */
export type FluentSource<S> = S extends (data: Dataset<infer In>, ...rest: infer Rest) => Stream<infer F, Kind>
  ? <K extends In>(data: Dataset<K>, ...rest: Rest) => Fluent<F, K>
  : S extends (data: readonly Dataset<infer In>[], ...rest: infer Rest) => Stream<infer F, Kind>
    ? <K extends In>(data: readonly Dataset<K>[], ...rest: Rest) => Fluent<F, K>
    : S extends (...args: infer Args) => Stream<infer F, infer K>
      ? (...args: Args) => Fluent<F, K>
      : never;

/** Makes a source whose streams are fluent. */
export function fluentSource<S>(source: S): FluentSource<S> {
  const make = source as unknown as (...args: unknown[]) => Stream;
  return ((...args: unknown[]) => fluent(make(...args))) as unknown as FluentSource<S>;
}
