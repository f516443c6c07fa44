/** Cells in processes of this machine: several at once, each as it would be in this process, bit for bit. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "../engine/index.ts";
import { deviceName } from "../train/device.ts";
import type { TrainEvent } from "../train/events.ts";
import { Interrupted } from "../train/fit.ts";
import { atOnce, type Cell, type Executor, inTurn, type Watch } from "./cells.ts";
import { type Parcel, parcel } from "./parts/parcel.ts";

/** What a worker is told, and what it tells. */
export type Order = { readonly parcel: string } | { readonly stop: true };
export type Report =
  | { readonly events: readonly TrainEvent[] }
  | { readonly error: { readonly name: string; readonly message: string } };

/** How often a run whose worker dies is begun again. */
const retries = 2;

/** Says a sentence about the work to the person at the terminal. */
export const say = (sentence: string): void => void process.stderr.write(`${sentence}\n`);

/**
 * Trains cells in `count` processes. A cell whose process dies goes on from its last checkpoint in another one; a study with parts of
 * your own, which cannot be sent to another process, is trained in this one.
 */
export function processes(count: number): Executor {
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`run: a whole number of workers of at least 1 is required, got ${count}`);
  return async (cells, watch, signal) => {
    const folder = mkdtempSync(join(tmpdir(), "thalweg-"));
    try {
      const parcels = packed(cells, folder);
      if (typeof parcels === "string") {
        say(`run: ${parcels}; it is trained in this process`);
        return await inTurn(cells, watch, signal);
      }
      let next = 0;
      const work = async (both: AbortSignal): Promise<void> => {
        while (next < parcels.length && !both.aborted) {
          const index = next++;
          watch.begin(index);
          await trained(parcels[index]!, index, watch, both);
        }
      };
      await atOnce(new Array(Math.min(count, parcels.length)).fill(work), signal);
      if (signal?.aborted === true) throw new Interrupted("run: stopped before all seeds were trained");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}

/** The cells as files that another process reads; a sentence when one of them cannot be sent. */
function packed(cells: readonly Cell[], folder: string): string[] | string {
  try {
    return cells.map((cell, index) => {
      const { data, ...rest } = parcel(cell, folder);
      const file = join(folder, `${index}.cell`);
      const recording = rest.recording ?? {
        folder: join(folder, `${index}`),
        key: { key: "", folder: "", code: "", device: "" },
        name: "",
        tasks: [],
      };
      writeFileSync(file, encode({ ...rest, data, recording } satisfies Parcel));
      return file;
    });
  } catch (error) {
    if (error instanceof TypeError) return error.message.replace(/^specFromJson: /, "");
    throw error;
  }
}

/** Trains one cell in a process, in another one when that dies. */
async function trained(file: string, index: number, watch: Watch, signal: AbortSignal): Promise<void> {
  let seen = 0;
  for (let attempt = 0; ; attempt++) {
    let arrived = 0;
    const outcome = await once(file, signal, (event) => {
      // A process that goes on tells the run from its beginning: what was told before is not told again.
      if (++arrived > seen) {
        seen = arrived;
        watch.event(index, event);
      }
    });
    if (outcome === "done") return;
    if (outcome instanceof Error) throw outcome;
    if (signal.aborted) throw new Interrupted("run: stopped while a worker was training");
    if (attempt === retries)
      throw new Error(
        `run: a worker that lives is required, got one that ${outcome} ${attempt + 1} times; train with fewer workers`,
      );
    say(`run: the worker of run ${index + 1} ${outcome}; the run goes on from its last checkpoint in another`);
  }
}

/** One process for one cell: "done", the error of the run, or how the process died. */
function once(file: string, signal: AbortSignal, take: (event: TrainEvent) => void): Promise<"done" | Error | string> {
  return new Promise((resolve) => {
    const child = start();
    let error: Error | undefined;
    const stop = (): void => void child.send({ stop: true } satisfies Order, () => {});
    signal.addEventListener("abort", stop, { once: true });
    child.on("message", (report: Report) => {
      if ("events" in report) for (const event of report.events) take(event);
      else error = rebuilt(report.error);
    });
    child.on("error", (reason) => (error ??= reason));
    child.on("close", (code, by) => {
      signal.removeEventListener("abort", stop);
      if (error !== undefined) resolve(error);
      else resolve(code === 0 ? "done" : by === null ? `ended with code ${code}` : `was killed (${by})`);
    });
    child.send({ parcel: file } satisfies Order);
    if (signal.aborted) stop();
  });
}

function rebuilt({ name, message }: { readonly name: string; readonly message: string }): Error {
  if (name === "Interrupted") return new Interrupted(message);
  return name === "RangeError"
    ? new RangeError(message)
    : name === "TypeError"
      ? new TypeError(message)
      : new Error(message);
}

/** Starts a worker with what this process runs TypeScript with, where the library is run from its sources. */
function start(): ChildProcess {
  const own = import.meta.url;
  const entry = fileURLToPath(new URL(own.endsWith(".ts") ? "./parts/worker.ts" : "./parts/worker.js", own));
  return fork(entry, [], {
    execArgv: loader(own),
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, NODE_OPTIONS: "", THALWEG_QUIET: "1", THALWEG_DEVICE: deviceName() },
  });
}

/** The arguments that let Node read the library as it lies there. */
export function loader(url: string): string[] {
  return url.endsWith(".ts") ? ["--import", import.meta.resolve("tsx")] : [];
}
