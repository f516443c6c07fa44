/** Experiments side by side: run with the same seeds, measured with the same metrics. */
import type { Json } from "../data/dataset.ts";
import { averageAccuracy } from "../metrics/average-accuracy.ts";
import { type Comparison, comparisonTable } from "../metrics/comparison-table.ts";
import { type CriticalDifference, criticalDifference } from "../metrics/critical-difference.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Metric } from "../metrics/metric.ts";
import { holm, permutationTest } from "../metrics/statistics.ts";
import type { Figure } from "../plots/figure.ts";
import { methodCurves } from "../plots/method-curves.ts";
import { nameOf, taskNames } from "../runs/name.ts";
import { type Progress, progress, silent } from "../runs/progress.ts";
import { type Run, shown } from "../runs/run.ts";
import type { RunSpec } from "../train/spec.ts";
import { isDivergence } from "../train/stepped.ts";
import { type ManyOptions, runMany } from "./many.ts";

/** What can be compared: a study, which is run, or a run, which is taken as it is; of phases the last one counts. */
export type Comparable = { readonly spec: RunSpec } | Run | Phases;

/** Studies one after the other, to be run or run already. */
export type Phases = {
  readonly name: string;
  readonly names: readonly string[];
} & ({ readonly last: Run } | { run(options?: CompareOptions): Promise<{ readonly last: Run }> });

/** Settings of a comparison. */
export interface CompareOptions extends Omit<ManyOptions, "progress"> {
  /** The columns of the table; the usual ones by default. */
  readonly metrics?: readonly Metric[];
  /** Shows nothing while it runs. Default false. */
  readonly quiet?: boolean;
}

/** Runs side by side. It shows itself as a table. */
export interface ComparedRuns {
  readonly runs: readonly Run[];
  /** What was said of the methods whose loss was not finite, by their names; they have a line in the table, and are not in `runs`. */
  readonly diverged: Readonly<Record<string, string>>;
  /** Methods by metrics: mean ± 95 % interval over seeds. */
  readonly table: Comparison;
  /** Average accuracy over the run, one line per method with a band over seeds. */
  curves(): Figure;
  /**
   * Whether methods differ: one row per pair, the difference of the metric (average accuracy by default) paired by seed, its 95 % interval,
   * the p-value of the exact permutation test, and the same corrected for the number of pairs (Holm). Needs two seeds or more in common.
   */
  tests(metric?: Metric): DataFrame;
  /** Ranks over seeds, and which methods cannot be told apart (Friedman and Nemenyi). */
  ranks(metric?: Metric): CriticalDifference;
  /** One row per method, seed, experience and task. */
  frame(): DataFrame;
  toText(): string;
}

/**
 * Runs studies with the same seeds and puts them side by side; the last argument may be options. A study whose loss is not finite with one
 * of the seeds does not stop the others: the table says so. Where it is so with all, the comparison fails.
 *
 * @example
 * ```ts
 * import { blobs, classes, compare, mlp, naive, replay } from "thalweg";
 * const study = classes(blobs({ classes: 4 })).split(2).learn(mlp({ hidden: [16] }));
 * const both = await compare(study.by(naive()), study.by(replay({ capacity: 50 })), { seeds: 2 });
 * both.runs.length; // 2
 * ```
 */
export async function compare(
  ...parts: readonly [...Comparable[], CompareOptions] | readonly Comparable[]
): Promise<ComparedRuns> {
  const given: readonly (Comparable | CompareOptions)[] = parts;
  const last = given.at(-1);
  const options: CompareOptions = last === undefined || isComparable(last) ? {} : last;
  const things = given.filter(isComparable);
  if (things.length === 0) throw new RangeError("compare: at least one study or run is required, got none");
  const { metrics, quiet = false, ...many } = options;
  const names = labels(things);
  const runs: Run[] = [];
  const diverged: Record<string, string> = {};
  for (const [i, thing] of things.entries()) {
    if ("logs" in thing) runs.push(renamed(thing, names[i]!));
    else if ("last" in thing) runs.push(renamed(thing.last, names[i]!));
    else {
      const follow: Progress = quiet || "names" in thing ? silent : progress(names[i]!, taskNames(thing.spec));
      try {
        const run =
          "names" in thing
            ? (await thing.run({ ...many, quiet })).last
            : await runMany(thing.spec, { ...many, progress: follow });
        runs.push(renamed(run, names[i]!));
      } catch (error) {
        if (!isDivergence(error) || (i === things.length - 1 && runs.length === 0)) throw error;
        diverged[names[i]!] = error.message;
      }
    }
  }
  return comparedRuns(runs, metrics, diverged);
}

function isComparable(part: Comparable | CompareOptions): part is Comparable {
  return "spec" in part || "names" in part;
}

/** Puts runs side by side that were made before. */
export function comparedRuns(
  runs: readonly Run[],
  metrics?: readonly Metric[],
  diverged: Readonly<Record<string, string>> = {},
): ComparedRuns {
  const logs = Object.fromEntries(runs.map((run) => [run.name, run.logs.map(({ events }) => events)]));
  const none = Object.fromEntries(Object.keys(diverged).map((name) => [name, []]));
  const table = comparisonTable({ ...logs, ...none }, { ...(metrics && { metrics }), why: diverged });
  const made: ComparedRuns = {
    runs,
    diverged,
    table,
    curves: () => methodCurves(logs),
    tests: (metric = averageAccuracy) => pairs(runs, metric),
    ranks: (metric = averageAccuracy) => {
      const { higherIsBetter } = metric;
      const seeds = shared(runs);
      return criticalDifference(Object.fromEntries(runs.map((run) => [run.name, valuesOf(run, metric, seeds)])), {
        higherIsBetter,
      });
    },
    frame: () =>
      frame(
        runs.flatMap((run) =>
          run
            .frame()
            .rows()
            .map((row) => ({ method: run.name, ...row })),
        ),
      ),
    toText: () => table.toText(),
  };
  return Object.freeze(
    Object.assign(made, {
      [Symbol.for("Jupyter.display")]: () => shown(table),
      [Symbol.for("nodejs.util.inspect.custom")]: () => table.toText(),
    }),
  );
}

/** The seeds that all runs have. */
function shared(runs: readonly Run[]): number[] {
  return runs[0]!.logs
    .map(({ seed }) => seed)
    .filter((seed) => runs.every((run) => run.logs.some((l) => l.seed === seed)));
}

function valuesOf(run: Run, metric: Metric, seeds: readonly number[]): number[] {
  const values = run.measure(metric);
  return seeds.map((seed) => {
    const { value, why } = values[run.logs.findIndex((log) => log.seed === seed)]!;
    if (value === undefined) throw new Error(`compare: ${metric.metric} of ${run.name} is required, got none; ${why}`);
    return value;
  });
}

function pairs(runs: readonly Run[], metric: Metric): DataFrame {
  const found = runs.flatMap((a, i) =>
    runs.slice(i + 1).map((b) => {
      const seeds = shared([a, b]);
      const test = permutationTest(valuesOf(a, metric, seeds), valuesOf(b, metric, seeds));
      return {
        method: a.name,
        against: b.name,
        difference: test.mean,
        low: test.low,
        high: test.high,
        seeds: test.n,
        p: test.p,
      };
    }),
  );
  const corrected = holm(found.map(({ p }) => p));
  return frame(found.map((row, i) => ({ ...row, "p (Holm)": corrected[i]! })));
}

function renamed(run: Run, name: string): Run {
  return name === run.name ? run : Object.freeze({ ...run, name });
}

/** A different name for each: its strategies, and where these agree the options in which they differ. */
function labels(things: readonly Comparable[]): string[] {
  const plain = things.map((thing) => ("logs" in thing || "names" in thing ? thing.name : nameOf(thing.spec)));
  return plain.map((name, i) => {
    const others = things.filter((_, j) => j !== i && plain[j] === name);
    if (others.length === 0) return name;
    const own = differing(
      flat(jsonOf(things[i]!)),
      others.map((other) => flat(jsonOf(other))),
    );
    return own === "" ? `${name} #${i + 1}` : `${name} (${own})`;
  });
}

function jsonOf(thing: Comparable): Json {
  if ("logs" in thing) return thing.spec;
  if ("names" in thing) return {};
  const { strategies, optimizer, schedule, batching = [], model, stream, training } = thing.spec;
  return [...strategies, optimizer, schedule, model, stream]
    .map((part) => part.toJSON() as unknown as Json)
    .concat(
      training,
      batching.map((part) => part.toJSON() as unknown as Json),
    );
}

function flat(value: Json, path = ""): Map<string, string> {
  if (value === null || typeof value !== "object") return new Map([[path, String(value)]]);
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [...flat(inner as Json, path === "" ? key : `${path}.${key}`)]),
  );
}

function differing(own: Map<string, string>, others: readonly Map<string, string>[]): string {
  return [...own]
    .filter(([path, value]) => others.some((other) => other.get(path) !== value))
    .map(([path, value]) => `${path.split(".").at(-1)} ${value}`)
    .join(", ");
}
