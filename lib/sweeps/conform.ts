/** Published protocols as data, and runs of them against their published numbers. */
import type { Dataset, Kind } from "../data/dataset.ts";
import { studentQuantile } from "../metrics/parts/distributions.ts";
import { deviation, mean as meanOf } from "../metrics/parts/summaries.ts";
import type { Model } from "../models/model.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { constant } from "../optim/schedules/constant.ts";
import type { Progress } from "../runs/progress.ts";
import type { Strategy } from "../strategies/strategy.ts";
import type { Stream } from "../streams/stream.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Evaluation, evaluation, type RunSpec, type Training, training } from "../train/spec.ts";
import { isDivergence } from "../train/stepped.ts";
import { runMany } from "./many.ts";

/** One number of a published table: a method, its settings there, and what was reported. */
export interface PublishedCell {
  /** The method's name in the table: `"er-200"`. */
  readonly name: string;
  readonly strategies: readonly Strategy[];
  /** Settings that differ from the protocol's. */
  readonly model?: Model | (() => Model);
  readonly optimizer?: Optimizer;
  readonly training?: Partial<Training>;
  /** Published means by scenario; with the standard error or deviation where it was given. */
  readonly published: Readonly<Record<string, readonly [mean: number, spread?: number]>>;
  /** How the settings here differ from those of the source. */
  readonly differs?: string;
  /** Whether the number was never read in its source: the band is unknown then. */
  readonly remembered?: boolean;
}

/** What must hold between two cells of a scenario on any data of the same form: `a − b ≥ atLeast`, or `|a − b| ≤ within`. */
export interface Relation {
  readonly says: string;
  readonly scenario: string;
  readonly a: string;
  /** Another cell, or a number of percent. */
  readonly b: string | number;
  readonly atLeast?: number;
  readonly within?: number;
}

/** A published experiment: everything but the method. */
export interface Protocol {
  /** `"DER20/split-mnist"`. */
  readonly id: string;
  readonly source: string;
  /** The data set of the published numbers, by name; null where the stream makes its own. */
  readonly data: string | null;
  /** The stream over it (or over a data set of the same form), and the scenario whose accuracy is asked for. */
  readonly scenarios: Readonly<
    Record<string, { stream(data: Dataset<Kind>): Stream; readonly told: "taskAware" | "taskAgnostic" }>
  >;
  /** A function where it is read from a file, when a cell runs. */
  readonly model: Model | (() => Model);
  readonly optimizer: Optimizer;
  readonly training: Partial<Training>;
  readonly evaluation?: Partial<Evaluation>;
  /**
   * What is published, of the log of a run; default the mean over tasks of the accuracy after the last experience, in percent. With
   * `keeps`, of the events that it keeps: for runs of so many steps that their logs are neither held nor recorded.
   */
  readonly measure?: {
    readonly name: string;
    of(events: readonly TrainEvent[]): number;
    keeps?(event: TrainEvent): boolean;
  };
  /** What the spread of the published numbers is, over how many runs; `floor`: the numbers are bounds from below. */
  readonly spread: { readonly kind: "error" | "deviation"; readonly runs: number } | { readonly kind: "floor" };
  /** Conventions of the source that differ between libraries. */
  readonly conventions: readonly string[];
  readonly cells: readonly PublishedCell[];
  readonly relations?: readonly Relation[];
}

/** What stands for the data of streams that make their own. */
export const generated = "generated";

/** The outcome of a cell. */
export interface Conformance {
  /** `"DER20/split-mnist/class/er-200"`. */
  readonly cell: string;
  readonly strategies: readonly string[];
  readonly data: string;
  /**
   * What was measured for each seed (by default the mean accuracy over tasks at the end, in percent), those left out whose loss became
   * infinite; how many these are; and the mean over the others.
   */
  readonly values: readonly number[];
  readonly diverged: number;
  readonly mean: number;
  /** The published mean, and the data it is of. */
  readonly published: { readonly mean: number; readonly of: string } | null;
  /** How far from it is still in band; null where the data is not that of the source. */
  readonly band: number | null;
  readonly verdict: "in band" | "out of band" | "band unknown" | "diverged";
  readonly conventions: readonly string[];
}

/**
 * How far from a published mean an independent mean may lie: for standard errors three of them, widened by the root of the ratio of seeds;
 * for deviations two of them over the root of the seeds plus one point; two points at the least. Where the source gives no spread, the
 * deviation `own` of the runs here takes its place. A bound from below is met by what is above it, or whose 95 % interval over the seeds
 * here has it inside: half of that interval, which one seed does not have.
 */
export function bandOf({ spread: how }: Protocol, spread: number | undefined, seeds: number, own = 0): number {
  if (how.kind === "floor") return seeds < 2 ? 0 : (studentQuantile(0.975, seeds - 1) * own) / Math.sqrt(seeds);
  if (how.kind === "error") {
    const error = spread ?? own / Math.sqrt(how.runs);
    return Math.max(2, 3 * error * Math.sqrt(how.runs / seeds));
  }
  return Math.max(2, (2 * (spread ?? own)) / Math.sqrt(seeds) + 1);
}

/** What `conform` can be told. */
export interface ConformOptions {
  /** How many seeds, from 0. Default 3. */
  readonly seeds?: number;
  readonly signal?: AbortSignal;
  readonly progress?: Progress;
  /** Where the runs are recorded, so that what was stopped goes on; default nowhere. */
  readonly record?: string;
}

/** The experiment of one cell. */
export function cellSpec(protocol: Protocol, scenario: string, cell: PublishedCell, data: Dataset<Kind>): RunSpec {
  const model = cell.model ?? protocol.model;
  return {
    stream: protocol.scenarios[scenario]!.stream(data),
    model: typeof model === "function" ? model() : model,
    strategies: cell.strategies,
    optimizer: cell.optimizer ?? protocol.optimizer,
    schedule: constant(),
    training: training({ ...protocol.training, ...cell.training }),
    evaluation: evaluation({ every: "end", atStart: false, share: 0, ...protocol.evaluation }),
  };
}

/**
 * Runs one cell of a published table and says whether the outcome is within the published band.
 *
 * On another data set of the same form than the published one, and for a number that is only remembered, the verdict is "band unknown"; "diverged" where every loss became infinite.
 * Throws a RangeError for a scenario or a cell that the protocol does not have.
 */
export async function conform(
  protocol: Protocol,
  scenario: string,
  name: string,
  data: Dataset<Kind>,
  { seeds = 3, signal, progress, record }: ConformOptions = {},
): Promise<Conformance> {
  const asked = protocol.scenarios[scenario];
  if (asked === undefined)
    throw new RangeError(
      `conform: one of the scenarios ${Object.keys(protocol.scenarios).join(", ")} is required, got ${scenario}`,
    );
  const cell = protocol.cells.find((c) => c.name === name);
  if (cell === undefined)
    throw new RangeError(
      `conform: one of the cells ${protocol.cells.map((c) => c.name).join(", ")} is required, got ${name}`,
    );
  const measured = protocol.measure?.of ?? ((events: readonly TrainEvent[]) => finalAccuracy(events, asked.told));
  const keep = protocol.measure?.keeps;
  const options = {
    record: (keep === undefined && record) || false,
    ...(keep && { keep }),
    again: false,
    ...(signal && { signal }),
    ...(progress && { progress }),
  };
  const spec = cellSpec(protocol, scenario, cell, data);
  const values: number[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    try {
      const { logs } = await runMany(spec, { ...options, seeds: [seed] });
      values.push(measured(logs[0]!.events));
    } catch (error) {
      if (!isDivergence(error)) throw error;
    }
  }
  return judged(
    protocol,
    scenario,
    cell,
    protocol.data === null ? generated : data.name,
    values,
    seeds - values.length,
  );
}

/** What the values of a cell's seeds on some data say, `diverged` seeds left out. */
export function judged(
  protocol: Protocol,
  scenario: string,
  cell: PublishedCell,
  on: string,
  values: readonly number[],
  diverged: number,
): Conformance {
  const mean = values.length === 0 ? Number.NaN : meanOf(values);
  const [published, spread] = cell.published[scenario] ?? [null];
  const of = protocol.data ?? generated;
  const known = on === of && published !== null && cell.remembered !== true && values.length > 0;
  const own = values.length > 1 ? deviation(values) : 0;
  const band = known ? bandOf(protocol, spread, values.length, own) : null;
  const short = published === null ? 0 : published - mean;
  const inside = (protocol.spread.kind === "floor" ? short : Math.abs(short)) <= (band ?? 0);
  const verdict = inside ? "in band" : "out of band";
  return {
    cell: `${protocol.id}/${scenario}/${cell.name}`,
    strategies: cell.strategies.map((s) => s.spec.name),
    data: on,
    values,
    diverged,
    mean,
    published: published === null ? null : { mean: published, of },
    band,
    verdict: values.length === 0 ? "diverged" : band === null ? "band unknown" : verdict,
    conventions: cell.differs === undefined ? protocol.conventions : [...protocol.conventions, cell.differs],
  };
}

/** The mean over tasks of the accuracy after the last experience, in percent. */
export function finalAccuracy(events: readonly TrainEvent[], told: "taskAware" | "taskAgnostic"): number {
  const last = new Map<number, number>();
  for (const event of events)
    if (event.type === "evaluated" && event.at === "experience") last.set(event.on, event[told]);
  return (100 * [...last.values()].reduce((a, b) => a + b, 0)) / last.size;
}

/** Whether what must hold between cells does, where both were run. */
export interface Related {
  readonly relation: string;
  readonly strategies: readonly string[];
  /** `a − b`, in points. */
  readonly difference: number;
  readonly asked: string;
  readonly met: boolean;
}

/** The relations of a protocol between the cells that were run. */
export function relationsMet(
  protocol: Protocol,
  outcomes: readonly Pick<Conformance, "cell" | "strategies" | "mean">[],
): Related[] {
  return (protocol.relations ?? []).flatMap(({ says, scenario, a, b, atLeast, within }) => {
    const of = (name: string): (typeof outcomes)[number] | undefined =>
      outcomes.find(({ cell }) => cell === `${protocol.id}/${scenario}/${name}`);
    const [left, right] = [of(a), typeof b === "number" ? undefined : of(b)];
    if (left === undefined || (typeof b !== "number" && right === undefined)) return [];
    const difference = left.mean - (typeof b === "number" ? b : right!.mean);
    const met =
      (atLeast === undefined || difference >= atLeast) && (within === undefined || Math.abs(difference) <= within);
    const [first, second] = [`${scenario}/${a}`, typeof b === "number" ? `${b}` : `${scenario}/${b}`];
    const asked = atLeast === undefined ? `|${first} − ${second}| ≤ ${within}` : `${first} − ${second} ≥ ${atLeast}`;
    const strategies = [...new Set([...left.strategies, ...(right?.strategies ?? [])])];
    return [{ relation: `${protocol.id}: ${says}`, strategies, difference, asked, met }];
  });
}
