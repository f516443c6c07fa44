/** A run that is written down as it happens, goes on from where its record ends, and is not done again when it is done. */
import { join } from "node:path";
import type { TrainEvent } from "../train/events.ts";
import { type Fitting, fit, Interrupted } from "../train/fit.ts";
import type { Meeting } from "../train/meeting.ts";
import type { RunSpec } from "../train/spec.ts";
import type { Place } from "../train/state.ts";
import { writeAtomically } from "./parts/files.ts";
import { goodCheckpoint } from "./parts/good.ts";
import type { RunKey } from "./parts/key.ts";
import { addToIndex, resultOf } from "./parts/listing.ts";
import { readLog } from "./parts/log-file.ts";
import {
  isFinished,
  latestCheckpoint,
  lockRun,
  openWriter,
  prepare,
  readEvents,
  type Writer,
  writerOf,
} from "./record.ts";
import type { Past } from "./travel.ts";

/** How a run is recorded. */
export interface Recording {
  /** The folder of the run. */
  readonly folder: string;
  readonly key: RunKey;
  readonly name: string;
  readonly tasks: readonly string[];
  /** Seconds between checkpoints within an experience. Default 30. */
  readonly checkpointSeconds?: number;
  /** Trains anew what is recorded already. Default false. */
  readonly again?: boolean;
  /** How the run begins where it goes on from a place in another. */
  readonly past?: () => Promise<Past>;
  /** Where it ends, when that is not the end of the stream. */
  readonly until?: Place;
}

/** Milliseconds between writes of events, and between looks at a run that another process writes. */
const flushing = 500;
const looking = 200;
/** A checkpoint at the end of an experience waits until so many times its cost has been trained. */
const worth = 20;

/** The events of a run, from its record as far as they are there, then as they happen. */
export async function* recorded(
  spec: RunSpec,
  seed: number,
  recording: Recording,
  signal?: AbortSignal,
  meeting?: Meeting,
): AsyncGenerator<TrainEvent> {
  const { folder, again = false } = recording;
  const path = join(folder, "events.jsonl");
  if (!again) {
    const done = readEvents(folder);
    if (isFinished(done)) return yield* done;
  }
  prepare(folder, spec, seed, recording);
  const lock = await ownLock(folder, signal);
  const log = again ? { events: [], length: 0 } : readLog(path);
  if (isFinished(log.events)) {
    lock.release();
    return yield* log.events; // somebody else finished it while we waited
  }
  const found = again ? undefined : latestCheckpoint(folder, log.length);
  const kept = found === undefined ? { events: [], length: 0 } : readLog(path, found.log);
  const writer = openWriter(folder, lock, kept.length);
  let fitting: Fitting | undefined;
  let saved = true; // whether the state after the events so far is on disk
  const all: TrainEvent[] = [...kept.events];
  try {
    let state = found?.state;
    if (state === undefined && recording.past !== undefined) {
      const past = await recording.past();
      for (const event of past.events) {
        writer.append(event);
        all.push(event);
      }
      writer.checkpoint(past.cursor, past.state, true);
      state = past.state;
    }
    yield* all;
    fitting = fit(spec, {
      seed,
      ...(state === undefined ? {} : { from: state }),
      ...(signal === undefined ? {} : { signal }),
      ...(meeting === undefined ? {} : { meeting }),
      ...(recording.until === undefined ? {} : { until: recording.until, ends: true }),
    });
    const save = saver(writer, fitting, recording);
    for await (const event of fitting) {
      writer.append(event);
      all.push(event);
      saved = event.type === "finished";
      save(event);
      if (saved) finish(recording, all);
      yield event;
    }
  } catch (error) {
    const stopped = error instanceof Interrupted;
    if (stopped && fitting !== undefined)
      saved = attempt(() => writer.checkpoint(fitting!.session.cursor, fitting!.save()));
    throw told(error as Error, folder, stopped);
  } finally {
    if (!saved && fitting !== undefined) attempt(() => writer.checkpoint(fitting!.session.cursor, fitting!.save()));
    attempt(() => writer.close());
    lock.release();
    fitting?.dispose();
  }
}

/** Decides after every event whether events are written and the state is saved. The clock decides when, never what is trained. */
function saver(writer: Writer, fitting: Fitting, { checkpointSeconds = 30 }: Recording): (event: TrainEvent) => void {
  let flushed = performance.now();
  let rested = flushed;
  let cost = 0;
  return (event) => {
    const { session } = fitting;
    const now = performance.now();
    if (event.type === "finished") return writer.checkpoint(session.cursor, fitting.save(), true);
    if (now - flushed > flushing) {
      writer.flush();
      flushed = now;
    }
    if (session.queue.length > 0) return; // in the middle of what one unit of work did
    const between = session.cursor.phase === "before" && session.cursor.step > 0;
    const due = now - rested > 1000 * checkpointSeconds || (between && now - rested > worth * cost);
    if (!due) return;
    writer.checkpoint(session.cursor, fitting.save(), between);
    rested = performance.now();
    cost = rested - now;
  };
}

/** Writes what a list of runs shows of this one. It can be made again from the log, so that a failure does no harm. */
function finish({ folder }: Recording, events: readonly TrainEvent[]): void {
  attempt(() => {
    const result = resultOf(events);
    writeAtomically(join(folder, "result.json"), `${JSON.stringify(result)}\n`);
    addToIndex(folder, result);
  });
}

/** Waits until no other process writes the run. */
async function ownLock(folder: string, signal?: AbortSignal) {
  for (;;) {
    const lock = lockRun(folder);
    if (lock !== undefined) return lock;
    if (signal?.aborted === true)
      throw new Interrupted(
        `run: stopped while waiting for ${writerOf(folder) ?? "another process"}, which trains this run now`,
      );
    await new Promise((resolve) => setTimeout(resolve, looking));
  }
}

/** The same error, saying where the run is kept and how it goes on. */
function told(error: Error, folder: string, stopped: boolean): Error {
  const kept = stopped
    ? `it is recorded in ${folder}, and study.resume() goes on from here`
    : `its log is kept in ${folder}; ${goodCheckpoint(folder)}; study.resume() goes on from its last checkpoint`;
  error.message = `${error.message.replace(/; the events until then are kept.*$/, "")}; ${kept}`;
  return error;
}

function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
