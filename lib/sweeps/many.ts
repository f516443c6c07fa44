/** An experiment with several seeds, one after the other. */
import { type Progress, silent } from "../runs/progress.ts";
import { makeRun, type Run, type RunLog } from "../runs/run.ts";
import type { TrainEvent } from "../train/events.ts";
import { fit } from "../train/fit.ts";
import { type RunSpec, specHash, specJson } from "../train/spec.ts";

/** Settings of a run with several seeds. */
export interface ManyOptions {
  /** How many seeds (0, 1, 2, …), or which. Default 1. */
  readonly seeds?: number | readonly number[];
  /** Stops everything between two steps when it is aborted. */
  readonly signal?: AbortSignal;
  /** Who is told of the events as they come. Default nobody. */
  readonly progress?: Progress;
}

/** A run that was stopped or failed: what it did until then is in `run`, and `state` is what the seed under way can go on from. */
export interface Stopped extends Error {
  readonly run: Run;
  readonly state: Uint8Array | undefined;
}

/** The seeds that a number or a list stands for. */
export function seedList(seeds: number | readonly number[]): readonly number[] {
  const list = typeof seeds === "number" ? Array.from({ length: seeds }, (_, i) => i) : seeds;
  if (list.length === 0 || !list.every((seed) => Number.isSafeInteger(seed)) || new Set(list).size !== list.length) {
    throw new RangeError(
      `run: seeds must be a count of at least 1 or a list of different whole numbers, got ${JSON.stringify(seeds)}`,
    );
  }
  return list;
}

/** Runs an experiment with each seed. An error on the way carries the logs so far as `run` and the last state as `state`. */
export async function runMany(spec: RunSpec, { seeds = 1, signal, progress = silent }: ManyOptions = {}): Promise<Run> {
  const list = seedList(seeds);
  const logs: RunLog[] = [];
  try {
    for (const [index, seed] of list.entries()) {
      const events: TrainEvent[] = [];
      logs.push({ seed, events });
      progress.begin(seed, index, list.length);
      const fitting = fit(spec, { seed, ...(signal === undefined ? {} : { signal }) });
      try {
        for await (const event of fitting) {
          events.push(event);
          progress.event(event);
        }
      } catch (error) {
        throw withRun(
          error as Error,
          runOf(spec, logs),
          attempt(() => fitting.save()),
        );
      } finally {
        fitting.dispose();
      }
    }
  } finally {
    progress.end();
  }
  return runOf(spec, logs);
}

/** Hangs what there is of a run on the error that ended it, where it does not get into the way of the message. */
function withRun(error: Error, run: Run, state: Uint8Array | undefined): Stopped {
  return Object.defineProperties(error, { run: { value: run }, state: { value: state } }) as Stopped;
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** The logs of an experiment as a run. */
export function runOf(spec: RunSpec, logs: readonly RunLog[]): Run {
  return makeRun({ name: nameOf(spec), spec: specJson(spec), hash: specHash(spec), tasks: taskNames(spec), logs });
}

/** The strategies of an experiment in a word: `replay+ewc`, `naive`. */
export function nameOf({ strategies }: Pick<RunSpec, "strategies">): string {
  return strategies.map((s) => s.spec.name).join("+") || "naive";
}

/** A name for each task: its classes where they are few and its own, else its number, from 0 as in the log. */
export function taskNames({ stream }: Pick<RunSpec, "stream">): string[] {
  if (!Number.isFinite(stream.tasks)) return [];
  const named = Array.from({ length: stream.tasks }, (_, task) =>
    stream.classesOf(task).map((column) => stream.classes[column] ?? String(column)),
  );
  const own = new Set(named.map(String)).size === named.length;
  return named.map((names, task) => (own && names.length <= 3 ? names.join(", ") : `task ${task}`));
}
