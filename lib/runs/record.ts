/** One run on disk: what it is, its events, its checkpoints. Whatever happens, what was written stays readable. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "../data/dataset.ts";
import { decode, encode } from "../engine/index.ts";
import type { TrainEvent } from "../train/events.ts";
import { type RunSpec, specHash, specJson } from "../train/spec.ts";
import type { Cursor, Place } from "../train/state.ts";
import { cannotWrite, writableFolder, writeAtomically } from "./parts/files.ts";
import { environment, type Origin, type RunKey } from "./parts/key.ts";
import { holderOf, type Lock, takeLock } from "./parts/lock.ts";
import { type LogFile, openLog, readLog } from "./parts/log-file.ts";

/** What `spec.json` of a run says. */
export interface RecordedSpec {
  readonly format: 1;
  readonly key: string;
  readonly name: string;
  /** The fingerprint of the experiment without the seed. */
  readonly hash: string;
  readonly seed: number;
  readonly spec: Json;
  readonly tasks: readonly string[];
  readonly code: string;
  readonly device: string;
  /** The run and the step this one was forked from. */
  readonly origin?: Origin;
  /** Where it ends, when that is not the end of its stream. */
  readonly until?: Place;
}

/** A saved state of a run, and where in the log it belongs. */
export interface Checkpoint {
  readonly file: string;
  readonly step: number;
  /** Bytes of the log that happened before it. */
  readonly log: number;
  readonly cursor: Cursor;
  readonly state: Uint8Array;
}

/** A run on disk that is being written by this process. */
export interface Writer {
  append(event: TrainEvent): void;
  /** Brings the events so far to the file. */
  flush(): void;
  /** Saves the state after the events so far. `keep` keeps it when newer ones come: for going back to it. */
  checkpoint(cursor: Cursor, state: Uint8Array, keep?: boolean): void;
  /** Writes what is left and lets others have the run. */
  close(): void;
}

/** Bytes that the checkpoints kept for going back may take in one run; beyond it every second one goes. */
const travelBytes = 64 * 2 ** 20;
const lasting = 2;

/** Reads what a run's folder says of it; undefined when there is no run in it. */
export function readSpec(folder: string): RecordedSpec | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "spec.json"), "utf8")) as RecordedSpec;
  } catch {
    return undefined;
  }
}

/** The events of a run's folder. */
export function readEvents(folder: string): TrainEvent[] {
  return readLog(join(folder, "events.jsonl")).events;
}

/** Whether a log is of a run that came to its end. */
export function isFinished(events: readonly TrainEvent[]): boolean {
  return events.at(-1)?.type === "finished";
}

/** The checkpoints of a run from the newest to the oldest, by the step they were made at. Damaged ones are left out when they are read. */
export function checkpoints(
  folder: string,
): { readonly file: string; readonly step: number; readonly keep: boolean }[] {
  const at = join(folder, "checkpoints");
  if (!existsSync(at)) return [];
  return readdirSync(at)
    .flatMap((name) => {
      const found = /^(\d+)(-kept)?\.bin$/.exec(name);
      return found === null ? [] : [{ file: join(at, name), step: Number(found[1]), keep: found[2] !== undefined }];
    })
    .sort((a, b) => b.step - a.step || Number(a.keep) - Number(b.keep));
}

/** The newest checkpoint that is whole, belongs to a log of `length` bytes, and is one of those asked for. */
export function latestCheckpoint(
  folder: string,
  length: number,
  asked: (cursor: Cursor) => boolean = () => true,
): Checkpoint | undefined {
  for (const { file, step } of checkpoints(folder)) {
    const found = readCheckpoint(file, step);
    if (found !== undefined && found.log <= length && asked(found.cursor)) return found;
  }
  return undefined;
}

/** The checkpoint in a file; undefined when it is damaged. */
export function readCheckpoint(file: string, step: number): Checkpoint | undefined {
  try {
    const saved = decode(readFileSync(file)) as Omit<Checkpoint, "file" | "step"> & { readonly digest: string };
    return digestOf(saved.state) === saved.digest ? { ...saved, file, step } : undefined;
  } catch {
    return undefined;
  }
}

function digestOf(state: Uint8Array): string {
  return createHash("sha256").update(state).digest("hex");
}

/** Makes the folder of a run, with what it is and where it is made; one that is there stays as it is. */
export function prepare(
  folder: string,
  spec: RunSpec,
  seed: number,
  about: { readonly key: RunKey; readonly name: string; readonly tasks: readonly string[] },
): void {
  writableFolder(folder);
  if (readSpec(folder) !== undefined) return;
  const { key, code, device, origin, until } = about.key;
  const record: RecordedSpec = {
    format: 1,
    key,
    name: about.name,
    hash: specHash(spec),
    seed,
    spec: specJson(spec),
    tasks: about.tasks,
    code,
    device,
    ...(origin === undefined ? {} : { origin }),
    ...(until === undefined ? {} : { until }),
  };
  try {
    mkdirSync(join(folder, "checkpoints"), { recursive: true });
    writeAtomically(join(folder, "environment.json"), `${JSON.stringify(environment(device, code), null, 2)}\n`);
    writeAtomically(join(folder, "spec.json"), `${JSON.stringify(record, null, 2)}\n`);
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

/** Takes the lock of a run; undefined while another process writes it. */
export function lockRun(folder: string): Lock | undefined {
  try {
    return takeLock(join(folder, "lock"));
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

/** Who writes a run now, in words; undefined when nobody does. */
export function writerOf(folder: string): string | undefined {
  return holderOf(join(folder, "lock"));
}

/** Opens a run for writing after the first `length` bytes of its log, under its lock. */
export function openWriter(folder: string, lock: Lock, length: number): Writer {
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw "code" in (error as object) ? cannotWrite(folder, error) : error;
    }
  };
  const log: LogFile = guarded(() => openLog(join(folder, "events.jsonl"), length));
  for (const { file, step } of checkpoints(folder)) {
    const found = readCheckpoint(file, step);
    if (found === undefined || found.log > length) rmSync(file, { force: true });
  }
  const flush = (sync = false): void => {
    lock.requireHeld();
    guarded(() => log.flush(sync));
  };
  return {
    append: (event) => log.append(event),
    flush,
    checkpoint(cursor, state, keep = false) {
      flush(true);
      const name = `${String(cursor.step).padStart(9, "0")}${keep ? "-kept" : ""}.bin`;
      const bytes = encode({ log: log.length, cursor, digest: digestOf(state), state });
      guarded(() => writeAtomically(join(folder, "checkpoints", name), bytes));
      thin(folder, state.length);
    },
    close() {
      try {
        flush();
      } finally {
        log.close();
        lock.release();
      }
    },
  };
}

/** Removes checkpoints that are no longer needed: all but the newest two, and of those kept for going back every second one when they are many. */
function thin(folder: string, bytes: number): void {
  const all = checkpoints(folder);
  const spare = all.slice(lasting);
  for (const { file } of spare.filter(({ keep }) => !keep)) rmSync(file, { force: true });
  const kept = spare.filter(({ keep }) => keep);
  if (kept.length * bytes <= travelBytes) return;
  for (const [i, { file }] of kept.entries()) if (i % 2 === 0) rmSync(file, { force: true });
}
