/** The runs that others are measured against: all data at once, all data so far, each task alone, nothing done. */
import type { Json } from "../data/dataset.ts";
import { averageAccuracy } from "../metrics/average-accuracy.ts";
import { gapClosed, intransigence } from "../metrics/intransigence.ts";
import { type Metric, metric, notDefined } from "../metrics/metric.ts";
import { silent } from "../runs/progress.ts";
import type { Run } from "../runs/run.ts";
import { cumulative } from "../strategies/baselines/cumulative.ts";
import { joint } from "../strategies/baselines/joint.ts";
import { naive } from "../strategies/baselines/naive.ts";
import type { Strategy } from "../strategies/strategy.ts";
import { slice } from "../streams/operators/slice.ts";
import type { TrainEvent } from "../train/events.ts";
import { evaluation, type RunSpec, specHash } from "../train/spec.ts";
import { type ManyOptions, runMany, seedList } from "./many.ts";

/** What a study is measured against. */
export interface References {
  /** Nothing done against forgetting: the lower reference. */
  readonly naive: Run;
  /** All data at the end of the stream: the upper reference. */
  readonly joint: Run;
  /** All data so far, after each experience. */
  readonly cumulative: Run;
  /** For each seed the accuracy on each task of a network of its own, trained on that experience alone from scratch. */
  readonly separate: readonly (readonly number[])[];
  /**
   * Metrics against these runs, paired by seed: `intransigence.joint`, `intransigence.cumulative`, `gapClosed`, and `separateGap`, the mean
   * of what a network of its own reaches on a task less what the run had right after learning it.
   */
  readonly metrics: readonly Metric[];
}

/** Runs of this session that were trained as references, by experiment and seed: they are trained once. */
const trained = new Map<string, Promise<Run>>();

/**
 * Trains the references of a study once: with the same stream, model, optimizer, training and seeds, and other strategies.
 *
 * They are kept for the session, and on disk where runs are recorded.
 *
 * @example
 * ```ts
 * import { blobs, classes, compare, mlp, references, replay } from "thalweg";
 * const study = classes(blobs({ classes: 4 })).split(2).learn(mlp({ hidden: [16] }));
 * const { metrics } = await references(study, { seeds: 2, record: false });
 * const table = await compare(study.by(replay({ capacity: 50 })), { seeds: 2, metrics, quiet: true, record: false });
 * table.runs[0]!.measure(metrics[2]!)[0]; // { value: … }: the share of the gap between naive and joint that replay closes
 * ```
 */
export async function references(
  study: { readonly spec: RunSpec },
  options: Omit<ManyOptions, "progress"> = {},
): Promise<References> {
  const { spec } = study;
  const seeds = seedList(options.seeds ?? 1);
  const under = (...strategies: Strategy[]): Promise<Run> => once({ ...spec, strategies }, seeds, options);
  const [lower, upper, soFar] = [await under(naive()), await under(joint()), await under(cumulative())];
  const alone: Run[] = [];
  for (let at = 0; at < spec.stream.length; at++) {
    const stream = slice(at, at + 1)(spec.stream as RunSpec["stream"] & object);
    alone.push(
      await once(
        { ...spec, stream, strategies: [naive()], evaluation: evaluation({ atStart: false, share: 0 }) },
        seeds,
        options,
      ),
    );
  }
  const separate = seeds.map((_, i) => alone.map((run) => averageAccuracy(run.logs[i]!.events).value ?? Number.NaN));
  const of = (run: Run, seed: number): readonly TrainEvent[] | undefined =>
    run.logs.find((log) => log.seed === seed)?.events;
  const metrics = [
    paired((seed) => map(of(upper, seed), (log) => intransigence.joint(log)), intransigence.joint([])),
    paired((seed) => map(of(soFar, seed), (log) => intransigence.cumulative(log)), intransigence.cumulative([])),
    paired(
      (seed) => map(of(lower, seed), (low) => map(of(upper, seed), (high) => gapClosed({ lower: low, upper: high }))),
      gapClosed({ lower: [], upper: [] }),
    ),
    paired((seed) => map(separate[seeds.indexOf(seed)], separateGap), separateGap([])),
  ];
  return Object.freeze({ naive: lower, joint: upper, cumulative: soFar, separate, metrics });
}

function once(spec: RunSpec, seeds: readonly number[], options: Omit<ManyOptions, "progress">): Promise<Run> {
  const key = JSON.stringify([specHash(spec), seeds, options.record ?? null] as Json);
  const had = trained.get(key);
  if (had !== undefined) return had;
  const run = runMany(spec, { ...options, seeds, progress: silent });
  trained.set(key, run);
  run.catch(() => trained.delete(key));
  return run;
}

/** A metric that measures each run against the references of its own seed. */
function paired(make: (seed: number) => Metric | undefined, about: Metric): Metric {
  const { formula, higherIsBetter, unit } = about;
  return metric(about.metric, { formula, higherIsBetter, unit }, (events) => {
    const log = [...events];
    const seed = log.find((event) => event.type === "started")?.seed;
    const found = seed === undefined ? undefined : make(seed);
    return found === undefined
      ? notDefined(`there is no reference with seed ${seed}; give references() the same seeds`)
      : found(log);
  });
}

/** The mean over tasks of the accuracy of a network of its own less the accuracy right after learning. */
function separateGap(own: readonly number[]): Metric {
  const about = {
    formula: "(1/T) Σ_j (S_j − R[j][j]), S_j = a network of its own, from scratch, on task j",
    higherIsBetter: false,
  };
  return metric("separateGap", about, (events) => {
    const gaps: number[] = [];
    for (const event of events)
      if (
        event.type === "evaluated" &&
        event.at === "experience" &&
        event.on === event.after &&
        own[event.on] !== undefined
      )
        gaps.push(own[event.on]! - event.accuracy);
    return gaps.length === 0
      ? notDefined("no task was evaluated right after it was learned")
      : gaps.reduce((a, b) => a + b, 0) / gaps.length;
  });
}

function map<A, B>(value: A | undefined, make: (value: A) => B): B | undefined {
  return value === undefined ? undefined : make(value);
}
