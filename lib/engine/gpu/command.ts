/** The words of `thalweg gpu`: what it fetches and asks, what it did, and what there is. */
import { parseArgs } from "node:util";
import { bytesBelow, gpuFolder, type InstallOptions, installGpu, missingWheels, removeGpu } from "./install.ts";
import { indexUrl } from "./package-index.ts";
import { gpuStatus } from "./status.ts";
import { inMegabytes, wheels as pinned, type Wheel } from "./wheels.ts";

/** How the command is called. */
export const gpuUsage = `thalweg gpu install [--yes] [--from folder | --index url] [--list]
thalweg gpu status [--json]
thalweg gpu remove
  Brings what CUDA needs besides NVIDIA's driver: libraries from wheels of the Python Package Index, or of a folder. Python is not needed.
  What was fetched in part goes on where it stopped. Exit code 1 when something is missing.`;

/** Where the command says what it does, and asks. */
export interface GpuVoice {
  /** Results: standard output. */
  out(line: string): void;
  /** What is going on: standard error. */
  note(line: string): void;
  /** Shows how far something is, in place of what it showed before; null where nothing can be shown in place. */
  readonly bar: ((line: string) => void) | null;
  /** Asks yes or no; null where nobody can be asked. */
  readonly ask: ((question: string) => Promise<boolean>) | null;
  readonly signal: AbortSignal;
}

const mistake = (message: string): Error => Object.assign(new Error(message), { name: "UsageError" });

/** Runs the command; resolves to its exit code. Throws an error whose name is UsageError when it is called wrongly. */
export async function gpuCommand(
  argv: readonly string[],
  voice: GpuVoice,
  { wheels = pinned, beside }: Pick<InstallOptions, "wheels" | "beside"> = {},
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      yes: { type: "boolean", short: "y", default: false },
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      from: { type: "string" },
      index: { type: "string" },
    },
  });
  const [verb, ...more] = positionals;
  if (more.length > 0 || (values.from !== undefined && values.index !== undefined)) throw mistake(gpuUsage);
  if (verb === "status") return told(voice, values.json);
  if (verb === "remove") {
    const bytes = removeGpu(beside);
    voice.out(
      bytes === 0 ? `Nothing is installed in ${gpuFolder()}.` : `Removed ${gpuFolder()} (${inMegabytes(bytes)}).`,
    );
    return 0;
  }
  if (verb !== "install") throw mistake(gpuUsage);
  if (values.list) {
    for (const { file, bytes, sha256 } of wheels) voice.out(`${file}  ${inMegabytes(bytes)}  sha256:${sha256}`);
    return 0;
  }
  return install(voice, values, { wheels, ...(beside !== undefined && { beside }) });
}

function told(voice: GpuVoice, json: boolean): number {
  const status = gpuStatus();
  voice.out(json ? JSON.stringify(status, null, 2) : status.toText());
  return status.missing.length === 0 ? 0 : 1;
}

interface Asked {
  readonly yes: boolean;
  readonly from?: string | undefined;
  readonly index?: string | undefined;
}

async function install(voice: GpuVoice, { yes, from, index }: Asked, parts: InstallOptions): Promise<number> {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw mistake(
      `gpu install: Linux on x64 is required, got ${process.platform} on ${process.arch}; engine.use("webgpu") needs nothing installed`,
    );
  const lacking = missingWheels(parts.wheels);
  if (lacking.length > 0) {
    const bytes = lacking.reduce((sum, wheel) => sum + wheel.bytes, 0);
    for (const wheel of lacking)
      voice.out(`  ${wheel.package} ${wheel.version}: ${wheel.about}, ${inMegabytes(wheel.bytes)}`);
    const source = from ?? indexUrl(index);
    voice.out(`${inMegabytes(bytes)} from ${source} go to ${gpuFolder()}, where they take about half as much again.`);
    voice.out("NVIDIA's libraries come under NVIDIA's terms; each package's licence is put beside them.");
    if (!yes && voice.ask === null) throw mistake("gpu install: --yes is required where nobody can be asked");
    if (!yes && !(await voice.ask!("Go on?"))) return 1;
  }
  await installGpu({
    ...parts,
    signal: voice.signal,
    note: voice.note,
    progress: follow(voice),
    ...(from === undefined ? {} : { from }),
    ...(index === undefined ? {} : { index }),
  });
  voice.out(
    `Installed in ${gpuFolder()} (${inMegabytes(bytesBelow(gpuFolder()))}); \`thalweg gpu remove\` takes it away.`,
  );
  told(voice, false);
  return 0;
}

/** Shows how far a wheel is: in place where that can be, else a line for every tenth of it. */
function follow({ bar, note }: GpuVoice): (wheel: Wheel, bytes: number) => void {
  let last = "";
  return (wheel, bytes) => {
    const tenth = Math.floor((10 * bytes) / wheel.bytes);
    const line = `${wheel.package}: ${inMegabytes(bytes)} of ${inMegabytes(wheel.bytes)} (${bar ? Math.floor((100 * bytes) / wheel.bytes) : 10 * tenth} %)`;
    const key = bar ? line : `${wheel.package}${tenth}`;
    if (key === last) return;
    last = key;
    (bar ?? note)(line);
  };
}
