/** A study: an experiment said step by step. Frozen until a verb runs it. */
import type { Json } from "../data/dataset.ts";
import { frame } from "../metrics/frame.ts";
import { escapeHtml } from "../metrics/parts/escape.ts";
import type { Model } from "../models/model.ts";
import type { Batching } from "../optim/batching.ts";
import type { Optimizer, Schedule } from "../optim/optimizer.ts";
import { sgd } from "../optim/optimizers/sgd.ts";
import { constant } from "../optim/schedules/constant.ts";
import { nameOf, taskNames } from "../runs/name.ts";
import { progress, silent } from "../runs/progress.ts";
import { type Run, shown } from "../runs/run.ts";
import type { Strategy } from "../strategies/strategy.ts";
import type { Fact, Stream, Why } from "../streams/stream.ts";
import { type ManyOptions, requireRecord, runMany } from "../sweeps/many.ts";
import { type FitOptions, type Fitting, fit } from "../train/fit.ts";
import {
  type Evaluation,
  evaluation,
  type RunSpec,
  requireSound,
  specHash,
  specJson,
  type Training,
  training,
} from "../train/spec.ts";

/** Strategies that a stream telling `F` can have; one that needs more is shown a sentence. */
type Suitable<F extends Fact, S extends readonly Strategy[]> = {
  [I in keyof S]: S[I] extends Strategy<infer Needs>
    ? [Needs] extends [F]
      ? S[I]
      : Why<`this strategy needs a stream that tells "${Exclude<Needs, F>}"`>
    : never;
};

/** Settings of `study.run`. */
export interface RunOptions extends Omit<ManyOptions, "progress"> {
  /** Shows nothing while it runs. Default false: a bar in a terminal, a live plot in a notebook. */
  readonly quiet?: boolean;
}

/** An experiment: a stream, a model, strategies, an optimizer, and how to train and evaluate. `F` is what the stream tells. */
export interface Study<F extends Fact = Fact> {
  readonly spec: RunSpec;
  /** The same study with these strategies in place of its own. */
  by<const S extends readonly Strategy[]>(...strategies: S & Suitable<F, S>): Study<F>;
  /**
   * The same study with this optimizer, this schedule, or parts of a plan: batch sizes, order, resolution, views. Parts of a plan take the
   * place of all it had.
   */
  with(...parts: readonly (Optimizer | Schedule | Batching)[]): Study<F>;
  /** The same study with these settings of training; those left out stay. */
  train(settings: Partial<Training>): Study<F>;
  /** The same study with these settings of evaluation; those left out stay. */
  evaluate(settings: Partial<Evaluation>): Study<F>;
  /** Runs the study with one or more seeds. */
  run(options?: RunOptions): Promise<Run>;
  /**
   * Goes on with runs that were stopped, from their last checkpoint, and ends as if they never had been; those that are finished are only
   * read. Like `run`, but with a record for certain, and an error when there is nothing to go on from.
   */
  resume(options?: RunOptions): Promise<Run>;
  /** The events of one run as they come, in the hands of the caller. */
  fit(options?: FitOptions): Fitting;
  /** The strategies in a word. */
  readonly name: string;
  /** The fingerprint of the experiment: the key of its results. */
  readonly hash: string;
  toJSON(): Json;
}

/** Begins a study with the defaults: no strategy, `sgd({ lr: 0.05 })` at a constant rate, one pass in batches of 10. */
export function study<F extends Fact>(stream: Stream<F>, model: Model): Study<F> {
  return makeStudy({
    stream,
    model,
    strategies: [],
    optimizer: sgd({ lr: 0.05 }),
    schedule: constant(),
    training: training({}),
    evaluation: evaluation({}),
  });
}

/** Makes a study of an experiment; throws when its parts do not fit together. */
export function makeStudy<F extends Fact>(spec: RunSpec): Study<F> {
  requireSound(spec);
  const made: Study<F> = {
    spec,
    by: (...strategies) => makeStudy({ ...spec, strategies: strategies as readonly Strategy[] }),
    with: (...parts) => makeStudy(withParts(spec, parts)),
    train: (settings) => makeStudy({ ...spec, training: training({ ...spec.training, ...settings }) }),
    evaluate: (settings) => makeStudy({ ...spec, evaluation: evaluation({ ...spec.evaluation, ...settings }) }),
    run: ({ quiet = false, ...options } = {}) =>
      runMany(spec, { ...options, progress: quiet ? silent : progress(made.name, taskNames(spec)) }),
    async resume(options = {}) {
      requireRecord(spec, options);
      return made.run({ record: true, again: false, ...options });
    },
    fit: (options) => fit(spec, options),
    name: nameOf(spec),
    get hash() {
      return specHash(spec);
    },
    toJSON: () => specJson(spec),
  };
  return Object.freeze(
    Object.assign(made, {
      [Symbol.for("Jupyter.display")]: () => described(made),
      [Symbol.for("nodejs.util.inspect.custom")]: () => described(made)["text/plain"],
    }),
  );
}

/** What a study shows: what it will do, and its model's layers with the shapes and parameters that its stream gives them. */
function described({ name, spec }: Study): { "text/html": string; "text/plain": string } {
  const { stream, model, optimizer, training: t } = spec;
  const passes = t.steps > 0 ? `${t.steps} steps` : `${t.epochs} ${t.epochs === 1 ? "pass" : "passes"}`;
  const columns = stream.classes.length || "growing";
  const what = `${name}: ${stream.length} experiences, head of ${columns} columns (${stream.head}), ${optimizer.spec.name} at ${optimizer.rate}, ${passes} in batches of ${t.batch}`;
  const layers = frame(
    model.summary(stream.shape).map(({ layer, output, parameters }) => ({ layer, output: `[${output}]`, parameters })),
  );
  return {
    "text/html": `<p>${escapeHtml(what)}</p>${String(shown(layers)["text/html"])}`,
    "text/plain": `${what}\n${layers.toText()}`,
  };
}

function withParts(spec: RunSpec, parts: readonly (Optimizer | Schedule | Batching)[]): RunSpec {
  const batching = parts.filter((part) => "plan" in part);
  const others = parts.filter((part) => !("plan" in part)) as readonly (Optimizer | Schedule)[];
  const schedule = others.findLast((part) => "factor" in part) ?? spec.schedule;
  const optimizer = others.findLast((part) => !("factor" in part)) ?? spec.optimizer;
  return { ...spec, schedule, optimizer, ...(batching.length > 0 && { batching }) } as RunSpec;
}
