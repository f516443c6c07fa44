/** What a run leaves: the event logs of an experiment over seeds, and everything that can be asked of them. */
import type { Json } from "../data/dataset.ts";
import { type AccuracyMatrix, accuracyMatrix, type Rule } from "../metrics/accuracy-matrix.ts";
import { averageAccuracy } from "../metrics/average-accuracy.ts";
import { averageIncrementalAccuracy } from "../metrics/average-incremental-accuracy.ts";
import { bwt } from "../metrics/bwt.ts";
import { cost } from "../metrics/cost.ts";
import { forgetting } from "../metrics/forgetting.ts";
import { type DataFrame, evaluations, frame } from "../metrics/frame.ts";
import { fwt } from "../metrics/fwt.ts";
import type { Measured, Metric } from "../metrics/metric.ts";
import { prequential } from "../metrics/prequential.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { accuracyCurves } from "../plots/accuracy-curves.ts";
import { accuracyHeatmap } from "../plots/accuracy-heatmap.ts";
import { bufferContents, memoryOf } from "../plots/buffer-contents.ts";
import type { Figure } from "../plots/figure.ts";
import { plasticityPanel } from "../plots/plasticity-panel.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Instant, type Lineage, momentOf, networkOf } from "./fork.ts";
import type { Spot } from "./place.ts";

/** The events of one seed. */
export interface RunLog {
  readonly seed: number;
  readonly events: readonly TrainEvent[];
}

/** An experiment that was run with one or more seeds. It shows itself as its accuracy matrix. */
export interface Run {
  /** The strategies in a word: `replay+ewc`. */
  readonly name: string;
  /** The whole experiment as JSON, and its fingerprint. */
  readonly spec: Json;
  readonly hash: string;
  readonly logs: readonly RunLog[];
  /** The names of the tasks: the columns of the matrix. */
  readonly tasks: readonly string[];
  /** A metric for each seed, in the order of the logs. */
  measure(metric: Metric): readonly Measured[];
  /** The accuracy matrix of one seed; of the first when none is named. */
  matrix(options?: { readonly seed?: number; readonly rule?: Rule }): AccuracyMatrix;
  /** One row per seed, experience and task. */
  frame(): DataFrame;
  /** One row per metric, with its value for each seed. */
  summary(metrics?: readonly Metric[]): DataFrame;
  /** What the run cost: steps, seconds, arithmetic, bytes, evaluations; one row per quantity, with its value for each seed. */
  costs(): DataFrame;
  /** The accuracy matrix as a heat map, mean over seeds. */
  heatmap(options?: { readonly rule?: Rule }): Figure;
  /** Accuracy over the run, per task and on average, with a band over seeds. */
  curves(): Figure;
  /** Whether the network can still learn: dormant units, ranks, weights, and how well each new task was learned. */
  plasticity(): Figure;
  /** What the memories of strategies hold after each experience, of one seed; of the first when none is named. */
  memory(options?: { readonly seed?: number }): Figure;
  /** The run at a place, to go on from there in another way: `run.at(task(3).step(40)).fork({ strategies: [replay()] })`. */
  at(spot: Spot): Instant;
  /**
   * The network that one seed's run has trained, to predict with and to save as ONNX or for TensorFlow.js; of the first seed when none is
   * named. Read from the record where there is one, else trained once more, which gives the same numbers.
   */
  network(options?: { readonly seed?: number }): Promise<TrainedNetwork>;
  toJSON(): {
    readonly name: string;
    readonly spec: Json;
    readonly hash: string;
    readonly tasks: readonly string[];
    readonly logs: readonly RunLog[];
  };
}

/** The metrics that a summary shows when none are named. */
export const usualMetrics: readonly Metric[] = [
  averageAccuracy,
  averageIncrementalAccuracy,
  forgetting.chaudhry,
  bwt.gem,
  fwt.gem,
  prequential.accuracy,
];

/** Makes a run of its logs; with where it came from one can go back into it. */
export function makeRun(parts: Pick<Run, "name" | "spec" | "hash" | "tasks" | "logs">, source?: Lineage): Run {
  const logs = parts.logs.map(({ events }) => events);
  const logOf = (asked: string, seed: number | undefined): readonly TrainEvent[] => {
    const log = parts.logs.find((each) => each.seed === seed);
    if (log !== undefined) return log.events;
    const seeds = parts.logs.map((l) => l.seed).join(", ");
    throw new RangeError(`${asked}: one of the seeds ${seeds} is required, got ${seed}`);
  };
  const lineage = (asked: string): Lineage => {
    if (source !== undefined) return source;
    throw new Error(
      `${asked}: a run of a study in this session is required, got one that was read from its record; call study.run() with the same study, which trains nothing again`,
    );
  };
  const run: Run = {
    ...parts,
    measure: (metric) => logs.map((events) => metric(events)),
    matrix: ({ seed = parts.logs[0]?.seed, rule = "stream" } = {}) => accuracyMatrix(logOf("matrix", seed), { rule }),
    frame: () => evaluations(logs),
    summary: (metrics = usualMetrics) =>
      frame(
        metrics.map((metric) => {
          const values = run.measure(metric);
          const seeds = Object.fromEntries(
            values.map(({ value }, i) => [`seed ${parts.logs[i]!.seed}`, value ?? null]),
          );
          const why = values.find((v) => v.why !== undefined)?.why;
          return { metric: metric.metric, ...seeds, ...(why === undefined ? {} : { "not defined": why }) };
        }),
      ),
    costs: () => run.summary(Object.values(cost)),
    heatmap: ({ rule = "stream" } = {}) =>
      accuracyHeatmap(logs, { rule, tasks: parts.tasks, title: `${parts.name}: accuracy after each experience` }),
    curves: () => accuracyCurves(logs, { tasks: parts.tasks, title: `${parts.name}: accuracy over the run` }),
    memory: ({ seed = parts.logs[0]?.seed } = {}) => bufferContents(memoryOf(logOf("memory", seed))),
    plasticity: () => plasticityPanel(logs, { title: `${parts.name}: plasticity` }),
    at: (spot) => momentOf(run, lineage("at"), spot),
    network: async ({ seed = parts.logs[0]!.seed } = {}) => networkOf(run, lineage("network"), seed),
    toJSON: () => parts,
  };
  return Object.freeze(
    Object.assign(run, {
      [Symbol.for("Jupyter.display")]: () => shown(run.heatmap()),
      [Symbol.for("nodejs.util.inspect.custom")]: () => `${run.heatmap().toText()}\n${run.summary().toText()}`,
    }),
  );
}

/** A run of what `toJSON` gave: its log goes on to be asked in another session. */
export function runFromJson(saved: ReturnType<Run["toJSON"]>): Run {
  return makeRun(saved);
}

/** The MIME bundle of something that shows itself. */
export function shown(value: object): Record<string, unknown> {
  return (value as { [key: symbol]: () => Record<string, unknown> })[Symbol.for("Jupyter.display")]!();
}
