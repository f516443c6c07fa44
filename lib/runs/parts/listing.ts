/** What a list of runs says of each: read from one index, so that ten thousand runs open at once. */
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Json } from "../../data/dataset.ts";
import { averageAccuracy } from "../../metrics/average-accuracy.ts";
import { averageIncrementalAccuracy } from "../../metrics/average-incremental-accuracy.ts";
import { forgetting } from "../../metrics/forgetting.ts";
import { prequential } from "../../metrics/prequential.ts";
import type { TrainEvent } from "../../train/events.ts";
import { type RecordedSpec, readEvents, readSpec, writerOf } from "../record.ts";

/** The outcome of a run in a few numbers; null where one is not defined. */
export interface Result {
  readonly finished: boolean;
  readonly date: string;
  readonly steps: number;
  readonly seconds: number | null;
  readonly averageAccuracy: number | null;
  readonly averageIncrementalAccuracy: number | null;
  readonly forgetting: number | null;
  readonly prequentialAccuracy: number | null;
}

/** A row of the list of runs. */
export interface Listed extends Result {
  readonly key: string;
  readonly name: string;
  readonly seed: number;
  readonly hash: string;
  readonly tasks: number;
  readonly device: string;
  readonly code: string;
  readonly origin: string | null;
  /** Where a run that does not go to the end of its stream ends. */
  readonly until: string | null;
  readonly folder: string;
  readonly spec: Json;
}

const file = "index.jsonl";

/** The outcome of a run from its events. */
export function resultOf(events: readonly TrainEvent[]): Result {
  const last = events.at(-1);
  const ended = last?.type === "finished" ? last : undefined;
  return {
    finished: ended !== undefined,
    date: new Date().toISOString(),
    steps: events.reduce((most, event) => Math.max(most, event.type === "started" ? 0 : event.step), 0),
    seconds: ended?.seconds ?? null,
    averageAccuracy: averageAccuracy(events).value ?? null,
    averageIncrementalAccuracy: averageIncrementalAccuracy(events).value ?? null,
    forgetting: forgetting.chaudhry(events).value ?? null,
    prequentialAccuracy: prequential.accuracy(events).value ?? null,
  };
}

/** Adds a finished run to the index of its folder's folder. Lines are short and added in one piece, so that several processes may. */
export function addToIndex(folder: string, result: Result): void {
  const spec = readSpec(folder);
  if (spec === undefined) return;
  appendFileSync(join(dirname(folder), file), `${JSON.stringify(row(folder, spec, result))}\n`);
}

/** All runs below a folder. Runs that are not in the index are read one by one, and go there when they are finished. */
export function listed(store: string): Listed[] {
  const folders = namesIn(store);
  const known = readIndex(store, new Set(folders));
  const missing: Listed[] = [];
  for (const name of folders) {
    if (known.has(name)) continue;
    const found = readRow(join(store, name));
    if (found === undefined) continue;
    known.set(name, found);
    if (found.finished) missing.push(found);
  }
  if (missing.length > 0) {
    try {
      appendFileSync(join(store, file), missing.map((each) => `${JSON.stringify(each)}\n`).join(""));
    } catch {
      // A folder that cannot be written to is read the long way each time.
    }
  }
  return [...known.values()].sort((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : a.seed - b.seed));
}

function namesIn(store: string): string[] {
  try {
    return readdirSync(store).filter((name) => /-seed-?\d+-[0-9a-f]{16}$/.test(name));
  } catch {
    return [];
  }
}

function readIndex(store: string, folders: ReadonlySet<string>): Map<string, Listed> {
  const found = new Map<string, Listed>();
  let text = "";
  try {
    text = readFileSync(join(store, file), "utf8");
  } catch {
    return found;
  }
  for (const line of text.split("\n")) {
    if (line === "") continue;
    try {
      const entry = { until: null, ...(JSON.parse(line) as Omit<Listed, "until">) } as Listed;
      if (folders.has(entry.folder)) found.set(entry.folder, entry);
    } catch {
      // A line that was cut short; its run is read from its own folder.
    }
  }
  return found;
}

function readRow(folder: string): Listed | undefined {
  const spec = readSpec(folder);
  if (spec === undefined) return undefined;
  let result: Result | undefined;
  try {
    result = JSON.parse(readFileSync(join(folder, "result.json"), "utf8")) as Result;
  } catch {
    result = resultOf(readEvents(folder));
  }
  return row(folder, spec, result);
}

function row(folder: string, spec: RecordedSpec, result: Result): Listed {
  return {
    key: spec.key,
    name: spec.name,
    seed: spec.seed,
    hash: spec.hash,
    tasks: spec.tasks.length,
    device: spec.device,
    code: spec.code,
    origin: spec.origin === undefined ? null : `${spec.origin.key}@${spec.origin.step}`,
    until: spec.until === undefined ? null : `${spec.until.local} steps into experience ${spec.until.experience}`,
    ...result,
    folder: basename(folder),
    spec: spec.spec,
  };
}

/** What a run that is not finished is doing: trained by a process now, or stopped. */
export function stateOfRun(store: string, { finished, folder }: Listed): string {
  if (finished) return "finished";
  const writer = writerOf(join(store, folder));
  return writer === undefined ? "stopped" : `trained by ${writer}`;
}
