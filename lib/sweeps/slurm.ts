/** Cells as jobs of a Slurm cluster: one array of jobs, results in a folder that all machines share. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encode } from "../engine/index.ts";
import { isFinished, readEvents } from "../runs/record.ts";
import { Interrupted } from "../train/fit.ts";
import type { Cell, Executor, Watch } from "./cells.ts";
import { type Parcel, parcel } from "./parts/parcel.ts";
import { loader, say } from "./processes.ts";

/** What a job asks of the cluster. What is left out is what the cluster gives. */
export interface SlurmOptions {
  readonly partition?: string;
  /** GPUs, processors and memory of each job, and how long it may take. */
  readonly gpus?: number;
  readonly cpus?: number;
  readonly memoryMegabytes?: number;
  readonly minutes?: number;
  /** Jobs at once; as many as the cluster lets by default. */
  readonly atOnce?: number;
  /** How often a cell whose job failed is put in the queue again; it goes on from its last checkpoint. Default 2. */
  readonly retries?: number;
  /** Seconds between looks at the queue. Default 2. */
  readonly pollSeconds?: number;
  /** More arguments of sbatch: `["--account=lab", "--nodelist=a1"]`. */
  readonly sbatch?: readonly string[];
}

const run = promisify(execFile);

/**
 * Trains cells as an array of Slurm jobs, one per cell. Runs must be recorded in a folder that the machines of the cluster share, and the
 * library must lie at the same path on them. When the program that waits is stopped, the jobs are cancelled and keep their state; run it
 * again and it goes on.
 *
 * @example
 * ```ts
 * import { slurm } from "thalweg";
 * const executor = slurm({ partition: "gpu", gpus: 1, minutes: 60 }); // study.run({ seeds: 20, record: "/shared/runs", executor })
 * ```
 */
export function slurm(options: SlurmOptions = {}): Executor {
  const { retries = 2, pollSeconds = 2 } = options;
  return async (cells, watch, signal) => {
    const folders = cells.map(({ recording }) => {
      if (recording === undefined)
        throw new Error(
          "slurm: runs that are recorded are required, got some that are not; give { record: folder } with a folder that the cluster shares",
        );
      return resolve(recording.folder);
    });
    const told = cells.map(() => 0);
    const begun = new Set<number>();
    const done = (index: number): boolean => isFinished(readEvents(folders[index]!));
    let left = cells.map((_, i) => i).filter((i) => !done(i));
    if (left.length > 0) await requireSlurm();
    const at = join(dirname(folders[0] ?? "."), ".slurm", `${Date.now().toString(36)}-${process.pid}`);
    if (left.length > 0) pack(cells, left, folders, at);
    for (let attempt = 0; left.length > 0; attempt++) {
      const job = await submit(at, left, options);
      await waited(job, pollSeconds, signal, () => {
        for (const index of left) tell(index, folders[index]!, told, begun, watch);
      });
      left = left.filter((i) => !done(i));
      if (left.length > 0 && attempt === retries) throw new Error(failure(left, at, attempt + 1));
      if (left.length > 0)
        say(
          `slurm: ${left.length} of ${cells.length} cells failed and are put in the queue again: ${lastLine(at, left[0]!)}`,
        );
    }
    for (const index of cells.keys()) tell(index, folders[index]!, told, begun, watch);
  };
}

/** Tells what has happened in a cell since it was last told of. */
function tell(index: number, folder: string, told: number[], begun: Set<number>, watch: Watch): void {
  if (!existsSync(join(folder, "events.jsonl"))) return;
  if (!begun.has(index)) watch.begin(index);
  begun.add(index);
  const events = readEvents(folder);
  for (const event of events.slice(told[index])) watch.event(index, event);
  told[index] = Math.max(told[index]!, events.length);
}

function pack(cells: readonly Cell[], left: readonly number[], folders: readonly string[], at: string): void {
  mkdirSync(at, { recursive: true });
  for (const index of left) {
    const cell = cells[index]!;
    const { recording, ...rest } = parcel(cell, at);
    const own: Parcel = { ...rest, recording: { ...recording!, folder: folders[index]! } };
    writeFileSync(join(at, `${index}.cell`), encode(own));
  }
}

/** Puts the cells in the queue as one array of jobs; gives the number of the job. */
async function submit(at: string, left: readonly number[], options: SlurmOptions): Promise<string> {
  const own = import.meta.url;
  const entry = fileURLToPath(new URL(own.endsWith(".ts") ? "./parts/cell.ts" : "./parts/cell.js", own));
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const program = [process.execPath, ...loader(own), entry].map(quote).join(" ");
  const script = join(at, "job.sh");
  writeFileSync(script, `#!/bin/sh\nexec ${program} ${quote(at)}/"$SLURM_ARRAY_TASK_ID".cell\n`);
  const { partition, gpus, cpus, memoryMegabytes, minutes, atOnce, sbatch = [] } = options;
  const asked = [
    ["--partition", partition],
    ["--gres", gpus === undefined ? undefined : `gpu:${gpus}`],
    ["--cpus-per-task", cpus],
    ["--mem", memoryMegabytes === undefined ? undefined : `${memoryMegabytes}M`],
    ["--time", minutes],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  const array = `--array=${left.join(",")}${atOnce === undefined ? "" : `%${atOnce}`}`;
  const fixed = [
    "--parsable",
    "--job-name=thalweg",
    array,
    `--output=${join(at, "%a.log")}`,
    "--open-mode=append",
    "--signal=TERM@30",
  ];
  const { stdout } = await run("sbatch", [...fixed, ...asked, ...sbatch, script]);
  return stdout.trim().split(";")[0]!;
}

/** Waits until no job of an array is in the queue; cancels them when it is asked to stop, and waits for what they save. */
async function waited(job: string, seconds: number, signal: AbortSignal | undefined, look: () => void): Promise<void> {
  let cancelled = false;
  for (;;) {
    if (signal?.aborted === true && !cancelled) {
      await run("scancel", ["--signal=TERM", "--full", job]).catch(() => {});
      await run("scancel", ["--state=PENDING", job]).catch(() => {});
      cancelled = true;
    }
    const { stdout } = await run("squeue", ["-h", "-j", job, "-o", "%i"]).catch(() => ({ stdout: "" })); // a job that is long over is unknown
    look();
    if (stdout.trim() === "") break;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
  if (cancelled)
    throw new Interrupted(
      "slurm: stopped, and the jobs were cancelled; what they did is recorded, and study.resume() goes on",
    );
}

async function requireSlurm(): Promise<void> {
  try {
    await run("sbatch", ["--version"]);
    await run("squeue", ["-h"]);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(
      code === "ENOENT"
        ? "slurm: the command sbatch is required, got none; run this on a login node of the cluster, or on this machine with { workers: 2 }"
        : `slurm: a cluster that answers is required, got "${message.trim().split("\n").at(-1)}"; ask with squeue what is wrong`,
      { cause: error },
    );
  }
}

function failure(left: readonly number[], at: string, times: number): string {
  return `slurm: jobs that end well are required, got ${left.length} that failed ${times} times; the first said: ${lastLine(at, left[0]!)}; all they said is in ${at}`;
}

function lastLine(at: string, index: number): string {
  const file = join(at, `${index}.log`);
  if (!existsSync(file) || statSync(file).size === 0) return "nothing";
  return readFileSync(file, "utf8").trim().split("\n").at(-1)!;
}
