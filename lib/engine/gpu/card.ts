/** The NVIDIA driver and its cards, as the driver's own program tells them. */
import { execFile, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** One card, as it is at this moment. */
export interface Card {
  readonly name: string;
  readonly memoryBytes: number;
  readonly usedBytes: number;
  /** The share of the last moment in which it computed, between 0 and 1; null where the driver does not tell. */
  readonly busy: number | null;
  /** NVIDIA's number for the generation: 9 is an H100. */
  readonly capability: number;
}

/** The driver and its cards, or why there is none. */
export interface Driver {
  readonly version: string | null;
  readonly cards: readonly Card[];
  /** Why nothing is known; "" where the driver answers. */
  readonly reason: string;
}

const command = "nvidia-smi";
const asked = [
  "--query-gpu=driver_version,name,memory.total,memory.used,utilization.gpu,compute_cap",
  "--format=csv,noheader,nounits",
];
const patience = 10_000;

/** Asks the driver; takes some tens of milliseconds. */
export function driver(): Driver {
  const { stdout, stderr, error, status } = spawnSync(command, asked, { encoding: "utf8", timeout: patience });
  return read(error ?? null, status, stdout ?? "", stderr ?? "");
}

/** Asks the driver while other work goes on. */
export function driverLater(): Promise<Driver> {
  return new Promise((resolve) => {
    execFile(command, asked, { encoding: "utf8", timeout: patience }, (error, stdout, stderr) =>
      resolve(read(error, error === null ? 0 : 1, stdout, stderr)),
    );
  });
}

function read(error: Error | null, status: number | null, stdout: string, stderr: string): Driver {
  if (error !== null && (error as NodeJS.ErrnoException).code === "ENOENT") return absent(loadedModule());
  if (status !== 0) {
    const said = `${stdout}${stderr}`.trim().split("\n")[0] || (error?.message ?? `exit code ${status}`);
    return absent(`the NVIDIA driver does not answer (${command}: ${said})`);
  }
  const rows = stdout.split("\n").filter((line) => line.includes(","));
  const cards = rows.map((row): Card => {
    const [, name = "", total, used, busy, capability] = row.split(",").map((cell) => cell.trim());
    const share = Number(busy) / 100;
    return {
      name,
      memoryBytes: Number(total) * 2 ** 20,
      usedBytes: Number(used) * 2 ** 20,
      busy: Number.isFinite(share) ? share : null,
      capability: Number(capability),
    };
  });
  if (cards.length === 0) return absent("the NVIDIA driver knows no card");
  return { version: rows[0]!.split(",")[0]!.trim(), cards, reason: "" };
}

const absent = (reason: string): Driver => ({ version: null, cards: [], reason });

/** Without the program: whether the driver itself is in the kernel, as in a container that was given no GPU. */
function loadedModule(): string {
  const module = "/proc/driver/nvidia/version";
  const version = existsSync(module) ? /\b\d{3}\.\d+(\.\d+)?\b/.exec(readFileSync(module, "utf8"))?.[0] : undefined;
  return version === undefined
    ? "no NVIDIA driver is found"
    : `the NVIDIA driver ${version} is loaded, but its program ${command} is not found here; give this container the GPU`;
}
