/** An experiment with several seeds, one after the other. */
import { join } from "node:path";
import { recordFolder } from "../runs/folder.ts";
import type { Lineage } from "../runs/fork.ts";
import { nameOf, taskNames } from "../runs/name.ts";
import { runKey, unseenParts } from "../runs/parts/key.ts";
import type { Spot } from "../runs/place.ts";
import { type Progress, silent } from "../runs/progress.ts";
import { readSpec } from "../runs/record.ts";
import { makeRun, type Run, type RunLog } from "../runs/run.ts";
import type { TrainEvent } from "../train/events.ts";
import { type RunSpec, specHash, specJson } from "../train/spec.ts";
import { type Cell, type Executor, inTurn, type Watch } from "./cells.ts";
import { onFastest, recordedOn } from "./parts/fastest.ts";
import { processes } from "./processes.ts";
import { requireTogether, together } from "./together.ts";

/** Settings of a run with several seeds. */
export interface ManyOptions {
  /** How many seeds (0, 1, 2, …), or which. Default 1. */
  readonly seeds?: number | readonly number[];
  /** Stops everything between two steps when it is aborted. */
  readonly signal?: AbortSignal;
  /** Who is told of the events as they come. Default nobody. */
  readonly progress?: Progress;
  /**
   * Where runs are recorded: a folder, `true` for `runs`, `false` for nowhere. A run that is recorded is never trained twice, and goes on
   * where it stopped. Default: in a notebook `runs` beside it, elsewhere nowhere; the variable THALWEG_RUNS (a folder, or "off") overrides it.
   */
  readonly record?: boolean | string;
  /**
   * Trains anew what is recorded already. Default false; true for an experiment with a stream operator or a layer of your own, whose code
   * may have changed unseen.
   */
  readonly again?: boolean;
  /** Seconds between checkpoints within an experience. Default 30. */
  readonly checkpointSeconds?: number;
  /** How many runs are trained at once, each in a process of its own; 0 (the default) trains in this one, one after the other. */
  readonly workers?: number;
  /**
   * Trains all seeds at once in this process, as one program with an axis over the seeds (weights, optimizer, batches, noise). Each has its
   * own record and log, equal to those of separate runs to rounding. Pays on a GPU, and on the processor for networks so small that
   * calling an operation costs more than computing it. Default false.
   */
  readonly together?: boolean;
  /** Where the runs are trained when not on this machine's own: `slurm({ … })`. */
  readonly executor?: Executor;
  /** Which events are kept in the logs; default all. For runs of a million steps, of which a few numbers are asked for. */
  readonly keep?: (event: TrainEvent) => boolean;
  /**
   * The devices among which the one is chosen where a training step takes least time, as THALWEG_DEVICE takes them; a run that is recorded
   * goes on where it began. Default: the processor, and CUDA where it is installed, unless `engine.use` or THALWEG_DEVICE has chosen.
   */
  readonly devices?: readonly string[];
  /** Where the runs end, when not at the end of the stream: `task(2)` is the moment before it begins. They can be forked on from there. */
  readonly until?: Spot;
  /** Whether the state at the end of runs without a record stays in memory, so that `run.network()` trains nothing again. Default false. */
  readonly keepEnds?: boolean;
}

/** A run that was stopped or failed: what it did until then is in `run`, and `state` is what the seed under way can go on from. */
export interface Stopped extends Error {
  readonly run: Run;
  readonly state: Uint8Array | undefined;
}

/** The seeds that a number or a list stands for. */
export function seedList(seeds: number | readonly number[]): readonly number[] {
  const count = typeof seeds === "number" ? (Number.isSafeInteger(seeds) ? Math.max(0, seeds) : 0) : undefined;
  const list = count === undefined ? (seeds as readonly number[]) : Array.from({ length: count }, (_, i) => i);
  if (list.length === 0 || !list.every((seed) => Number.isSafeInteger(seed)) || new Set(list).size !== list.length) {
    throw new RangeError(
      `run: seeds must be a count of at least 1 or a list of different whole numbers, got ${JSON.stringify(seeds)}`,
    );
  }
  return list;
}

/**
 * Runs an experiment with each seed. An error on the way carries the logs so far as `run`, and where runs are not recorded the state that
 * the seed under way can go on from as `state`.
 */
export async function runMany(spec: RunSpec, options: ManyOptions = {}): Promise<Run> {
  const store = recordFolder(options.record);
  return onFastest(spec, { devices: options.devices, store }, () => runHere(spec, options));
}

async function runHere(spec: RunSpec, options: ManyOptions): Promise<Run> {
  const { seeds = 1, signal, progress = silent, workers = 0, executor, keep = () => true } = options;
  const list = seedList(seeds);
  const { cells, source } = recordedCells(spec, list, options);
  const logs: { seed: number; events: TrainEvent[] }[] = list.map((seed) => ({ seed, events: [] }));
  const watch: Watch = {
    begin: (index) => progress.begin(list[index]!, index, list.length),
    event(index, event) {
      if (keep(event)) logs[index]!.events.push(event);
      progress.event(event, index);
    },
  };
  if (options.together === true) {
    if (executor !== undefined || workers > 0)
      throw new TypeError("run: seeds together or in processes of their own are required, got both; leave one out");
    requireTogether(spec);
  }
  const away = executor ?? (options.together === true ? together : workers > 0 ? processes(workers) : undefined);
  try {
    await (away ?? inTurn)(cells, watch, signal);
  } catch (error) {
    const begun = logs.filter(({ events }) => events.length > 0);
    throw withRun(error as Error, runOf(spec, begun.length > 0 ? begun : logs.slice(0, 1), source), stateIn(error));
  } finally {
    progress.end();
  }
  return runOf(spec, logs, source);
}

/** The runs of an experiment as cells, and what is needed to go back into them. */
function recordedCells(
  spec: RunSpec,
  seeds: readonly number[],
  { record, again = unseenParts(spec).length > 0, checkpointSeconds = 30, until: spot, keepEnds = false }: ManyOptions,
): { readonly cells: Cell[]; readonly source: Lineage } {
  const store = recordFolder(record);
  const place = spot?.ahead(spec.stream) ?? undefined;
  const until = place === undefined ? {} : { until: place };
  if (store === undefined) return unrecorded(spec, seeds, until, keepEnds);
  const [name, tasks] = [nameOf(spec), taskNames(spec)];
  const cells = seeds.map((seed) => {
    const key = runKey(spec, seed, undefined, place);
    const folder = join(store, key.folder);
    return { spec, seed, recording: { folder, key, name, tasks, checkpointSeconds, again, ...until }, ...until };
  });
  const folders = new Map(cells.map(({ seed, recording: { folder, key } }) => [seed, { folder, key: key.key }]));
  return { cells, source: { spec, store, folders, ...until } };
}

function unrecorded(
  spec: RunSpec,
  seeds: readonly number[],
  until: Pick<Cell, "until">,
  keepEnds: boolean,
): ReturnType<typeof recordedCells> {
  const ends = new Map<number, Uint8Array>();
  const cells = seeds.map((seed) => ({
    spec,
    seed,
    ...until,
    ...(keepEnds && { ended: (state: Uint8Array) => void ends.set(seed, state) }),
  }));
  return { cells, source: { spec, ...until, ends } };
}

/** Throws when nothing is recorded of an experiment under any of the seeds. */
export function requireRecord(spec: RunSpec, { seeds = 1, record = true, until, devices }: ManyOptions): void {
  const { cells, source } = recordedCells(spec, seedList(seeds), { record, ...(until === undefined ? {} : { until }) });
  if (cells.some(({ recording }) => recording !== undefined && readSpec(recording.folder) !== undefined)) return;
  if (source.store !== undefined && recordedOn(spec, source.store, devices) !== undefined) return;
  throw new Error(
    `resume: a recorded run of this study is required, got none in ${source.store ?? "any folder"}; begin one with run({ record: true })`,
  );
}

/** Hangs what there is of a run on the error that ended it, where it does not get into the way of the message. */
function withRun(error: Error, run: Run, state: Uint8Array | undefined): Stopped {
  return Object.defineProperties(error, {
    run: { value: run, configurable: true },
    state: { value: state, configurable: true },
  }) as Stopped;
}

function stateIn(error: unknown): Uint8Array | undefined {
  return (error as { state?: Uint8Array }).state;
}

/** The logs of an experiment as a run. */
export function runOf(spec: RunSpec, logs: readonly RunLog[], source: Lineage = { spec }): Run {
  const about = { name: nameOf(spec), spec: specJson(spec), hash: specHash(spec), tasks: taskNames(spec) };
  return makeRun({ ...about, logs }, source);
}
