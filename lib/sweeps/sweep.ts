/** One experiment under many settings, each with the same seeds. */
import { averageAccuracy } from "../metrics/average-accuracy.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Metric } from "../metrics/metric.ts";
import type { Figure } from "../plots/figure.ts";
import { parallelCoordinates } from "../plots/parallel-coordinates.ts";
import { silent } from "../runs/progress.ts";
import { type Run, shown } from "../runs/run.ts";
import type { RunSpec } from "../train/spec.ts";
import { isDivergence } from "../train/stepped.ts";
import { type ManyOptions, runMany, type Stopped, seedList } from "./many.ts";
import { type Axes, grid, type Search, type Settings } from "./search.ts";

/** Settings of a sweep. */
export interface SweepOptions extends Omit<ManyOptions, "progress"> {
  /** Which settings are tried. Default `grid()`. */
  readonly search?: Search;
  /** What makes one better than another. Default `averageAccuracy`. */
  readonly metric?: Metric;
  /** Shows nothing while it runs. Default false. */
  readonly quiet?: boolean;
}

/** A setting and its runs. */
export interface Tried<A extends Axes> {
  readonly settings: Settings<A>;
  readonly run: Run;
  /** The mean of the metric over the seeds; undefined where it is not defined for one of them. */
  readonly value: number | undefined;
  /** What was said when the loss was not finite; the run then ends there, and has no value. */
  readonly diverged?: string;
}

/** What a sweep found. It shows itself as a table, the best first. */
export interface Swept<A extends Axes> {
  readonly tried: readonly Tried<A>[];
  /** The setting with the best mean; of those trained with most seeds, where they differ. */
  readonly best: Tried<A>;
  readonly metric: Metric;
  /** One row per setting and seed. */
  frame(): DataFrame;
  /** One row per setting, the best first. */
  table(): DataFrame;
  /** One line per setting through all axes to its value. */
  coordinates(): Figure;
}

/**
 * Trains a study under many settings with the same seeds; `build` makes the study of a setting.
 *
 * A setting with which the loss is not finite is kept as the worst, with what was said; when all are such, the sweep fails with that.
 * Runs that are recorded are not trained again, so that a sweep to which a value is added trains that value alone. The metric is measured
 * on the test examples of the stream it is given: to choose settings fairly, sweep over one stream and evaluate on another (`tune`).
 *
 * @example
 * ```ts
 * import { blobs, classes, mlp, replay, sgd, sweep } from "thalweg";
 * const study = classes(blobs({ classes: 4 })).split(2).learn(mlp({ hidden: [16] }));
 * const found = await sweep(
 *   { lr: [0.01, 0.1], capacity: [10, 50] },
 *   ({ lr, capacity }) => study.by(replay({ capacity })).with(sgd({ lr })),
 *   { seeds: 2, quiet: true, record: false },
 * );
 * found.tried.length; // 4
 * found.best.settings.lr; // 0.1
 * ```
 */
export async function sweep<const A extends Axes>(
  axes: A,
  build: (settings: Settings<A>) => { readonly spec: RunSpec },
  options: SweepOptions = {},
): Promise<Swept<A>> {
  const { search = grid(), metric = averageAccuracy, quiet = false, seeds = 1, ...many } = options;
  requireSweep(axes, build, search);
  const all = seedList(seeds);
  let left = search.first(axes);
  const tried = new Map<Settings<A>, Tried<A>>();
  for (const [round, { keep, seeds: share }] of search.rounds.entries()) {
    if (round > 0)
      left = ranked(
        left.map((s) => tried.get(s)!),
        metric,
      )
        .slice(0, Math.max(1, Math.ceil(keep * left.length)))
        .map((t) => t.settings);
    const some = all.slice(0, Math.max(1, Math.round(share * all.length)));
    for (const [i, settings] of left.entries()) {
      if (!quiet)
        tell(
          `sweep: round ${round + 1} of ${search.rounds.length}, setting ${i + 1} of ${left.length}: ${JSON.stringify(settings)}`,
        );
      tried.set(settings, await trial(settings, build(settings).spec, metric, { ...many, seeds: some }));
    }
  }
  return swept([...tried.values()], metric);
}

async function trial<A extends Axes>(
  settings: Settings<A>,
  spec: RunSpec,
  metric: Metric,
  options: ManyOptions,
): Promise<Tried<A>> {
  try {
    const run = await runMany(spec, { ...options, progress: silent });
    return { settings, run, value: meanOf(run, metric) };
  } catch (error) {
    if (!isDivergence(error)) throw error;
    return { settings, run: (error as Stopped).run, value: undefined, diverged: error.message };
  }
}

/** Says how a sweep is asked for, to those who asked in another way. */
function requireSweep(axes: unknown, build: unknown, search: unknown): void {
  const lists = typeof axes === "object" && axes !== null && Object.values(axes).every(Array.isArray);
  if (!lists || typeof build !== "function")
    throw new TypeError(
      `sweep: lists of values by name and a function that makes a study of one of each are required, got ${lists ? typeof build : "something else"}; write sweep({ lr: [0.01, 0.1] }, ({ lr }) => study.with(sgd({ lr })))`,
    );
  if (typeof search !== "object" || search === null || !("first" in search))
    throw new TypeError(
      `sweep: a search is required, got ${JSON.stringify(search)}; use search: grid(), randomly(20) or halving()`,
    );
}

function swept<A extends Axes>(tried: readonly Tried<A>[], metric: Metric): Swept<A> {
  const order = ranked(tried, metric);
  if (order[0]!.diverged !== undefined)
    throw new Error(`sweep: no setting kept a finite loss; the first: ${order[0]!.diverged}`);
  const rows = (each: Tried<A>): Record<string, string | number | boolean | null> => ({ ...each.settings });
  const made: Swept<A> = {
    tried,
    best: order[0]!,
    metric,
    frame: () =>
      frame(
        tried.flatMap((each) =>
          each.run.measure(metric).map(({ value }, i) => ({
            ...rows(each),
            seed: each.run.logs[i]!.seed,
            [metric.metric]: each.diverged === undefined ? (value ?? null) : null,
          })),
        ),
      ),
    table: () =>
      frame(order.map((each) => ({ ...rows(each), seeds: each.run.logs.length, [metric.metric]: each.value ?? null }))),
    coordinates: () =>
      parallelCoordinates(frame(order.map((each) => ({ ...rows(each), [metric.metric]: each.value ?? null })))),
  };
  return Object.freeze(
    Object.assign(made, {
      [Symbol.for("Jupyter.display")]: () => shown(made.table()),
      [Symbol.for("nodejs.util.inspect.custom")]: () => made.table().toText(),
    }),
  );
}

/** The best first; those that went further before those that did not. */
function ranked<A extends Axes>(tried: readonly Tried<A>[], { higherIsBetter }: Metric): Tried<A>[] {
  const worth = ({ value }: Tried<A>): number =>
    value === undefined ? Number.NEGATIVE_INFINITY : higherIsBetter ? value : -value;
  const reach = ({ diverged, run }: Tried<A>): number => (diverged === undefined ? run.logs.length : 0);
  return [...tried].sort((a, b) => reach(b) - reach(a) || worth(b) - worth(a));
}

/** The mean of a metric over the seeds of a run. */
export function meanOf(run: Run, metric: Metric): number | undefined {
  const values = run.measure(metric).map(({ value }) => value);
  if (values.some((value) => value === undefined)) return undefined;
  return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length;
}

function tell(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${line}\n`);
}

/** What tuning on one stream and evaluating on another gives. */
export interface Tuned<A extends Axes> {
  /** The sweep on the stream to tune on. */
  readonly search: Swept<A>;
  readonly settings: Settings<A>;
  /** The run with these settings on the other stream. */
  readonly run: Run;
}

/**
 * Chooses settings on one stream and evaluates them on another, which has no say in the choice. `build` makes the study of a setting
 * on a stream; the evaluation uses `evaluationSeeds` (the same seeds by default).
 *
 * The protocol of S. Cha and K. Cho, Hyperparameters in continual learning: a reality check, arXiv:2403.09066: the other stream should be
 * of other data.
 *
 * Implements: P352 Hyperparameters in CL reality check
 *
 * @example
 * ```ts
 * import { blobs, classes, mlp, replay, tune } from "thalweg";
 * const streams = [1, 2].map((seed) => classes(blobs({ classes: 4, seed })).split(2));
 * const { settings, run } = await tune(
 *   { capacity: [10, 50] },
 *   ({ capacity }, stream) => stream.learn(mlp({ hidden: [16] })).by(replay({ capacity })),
 *   { tuneOn: streams[0]!, evaluateOn: streams[1]!, quiet: true, record: false },
 * );
 * settings.capacity; // 50, or 10
 * run.logs.length; // 1
 * ```
 */
export async function tune<const A extends Axes, S>(
  axes: A,
  build: (settings: Settings<A>, stream: S) => { readonly spec: RunSpec },
  options: SweepOptions & {
    readonly tuneOn: S;
    readonly evaluateOn: S;
    readonly evaluationSeeds?: number | readonly number[];
  },
): Promise<Tuned<A>> {
  const { tuneOn, evaluateOn, evaluationSeeds = options.seeds ?? 1, search, metric, quiet, seeds, ...many } = options;
  const same =
    JSON.stringify(build(firstOf(axes), tuneOn).spec.stream) ===
    JSON.stringify(build(firstOf(axes), evaluateOn).spec.stream);
  if (same)
    throw new Error(
      "tune: two different streams are required, got the same to tune on and to evaluate on; change the data set or the order of classes",
    );
  const found = await sweep(axes, (settings) => build(settings, tuneOn), {
    ...many,
    ...(search === undefined ? {} : { search }),
    ...(metric === undefined ? {} : { metric }),
    ...(quiet === undefined ? {} : { quiet }),
    ...(seeds === undefined ? {} : { seeds }),
  });
  const { settings } = found.best;
  const run = await runMany(build(settings, evaluateOn).spec, { ...many, seeds: evaluationSeeds, progress: silent });
  return { search: found, settings, run };
}

function firstOf<A extends Axes>(axes: A): Settings<A> {
  return Object.fromEntries(Object.entries(axes).map(([name, values]) => [name, values[0]])) as Settings<A>;
}
