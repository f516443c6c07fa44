/** What makes a result reusable: the experiment, the seed, the code, the data and the kind of device it came from. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Json } from "../../data/dataset.ts";
import { native } from "../../engine/runtime/native.ts";
import * as backbones from "../../models/backbones/index.ts";
import * as layers from "../../models/layers/index.ts";
import type { ModelSpec } from "../../models/model.ts";
import * as batchings from "../../optim/batching/index.ts";
import * as optimizers from "../../optim/optimizers/index.ts";
import * as schedules from "../../optim/schedules/index.ts";
import * as strategies from "../../strategies/index.ts";
import * as operators from "../../streams/operators/index.ts";
import * as sources from "../../streams/sources/index.ts";
import type { StreamSpec } from "../../streams/stream.ts";
import { deviceName } from "../../train/device.ts";
import { type RunSpec, specHash } from "../../train/spec.ts";
import type { Place } from "../../train/state.ts";

/** Where a run was forked from. */
export type Origin = { readonly key: string; readonly step: number };

/** The key of a run, and the name of its folder. */
export interface RunKey {
  readonly key: string;
  readonly origin?: Origin;
  /** Where the run ends, when that is not the end of its stream. */
  readonly until?: Place;
  readonly folder: string;
  readonly code: string;
  readonly device: string;
}

/** The key of an experiment with a seed on this machine's kind of device. The data are part of the experiment: their checksums are. */
export function runKey(spec: RunSpec, seed: number, origin?: Origin, until?: Place): RunKey {
  const [code, device] = [codeVersion(), `${deviceName()}-${platform()}-${arch()}`];
  const parts = [
    specHash(spec),
    seed,
    code,
    device,
    ownText(spec),
    origin ?? null,
    ...(until === undefined ? [] : [until]),
  ];
  const key = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
  const name = spec.strategies.map((s) => s.spec.name).join("+") || "naive";
  const safe = name.replace(/[^\w+-]/g, "_").slice(0, 60);
  const from = { ...(origin === undefined ? {} : { origin }), ...(until === undefined ? {} : { until }) };
  return { key, folder: `${safe}-seed${seed}-${key}`, code, device, ...from };
}

let version: string | undefined;

/** The folders whose code makes the numbers of a run. */
const makers = ["engine", "data", "streams", "models", "optim", "strategies", "train"];

/** A fingerprint of the code that makes numbers, and of the libraries that compute them. */
export function codeVersion(): string {
  if (version !== undefined) return version;
  const lib = fileURLToPath(new URL("../../", import.meta.url));
  const hash = createHash("sha256");
  const isCode = (name: string): boolean => /(?<!\.d)\.(ts|js)$/.test(name);
  // The published library is one bundle, which lies beside the folders.
  const places = existsSync(join(lib, "index.js")) ? ["."] : makers;
  for (const folder of places) {
    const files = readdirSync(join(lib, folder), { recursive: folder !== "." })
      .map(String)
      .filter(isCode);
    for (const name of files.sort()) hash.update(name).update(readFileSync(join(lib, folder, name)));
  }
  for (const [name, number] of Object.entries(libraries())) hash.update(`${name}@${number}`);
  version = hash.digest("hex").slice(0, 12);
  return version;
}

function libraries(): Record<string, string> {
  const known = (read: () => string): string => {
    try {
      return read();
    } catch {
      return "unknown";
    }
  };
  const tensors = "@tensorflow/tfjs-core";
  const load = createRequire(import.meta.url);
  return {
    "onnxruntime-node": known(() => native().version),
    [tensors]: known(() => (load(`${tensors}/package.json`) as { version: string }).version),
  };
}

/**
 * The text of the strategies, optimizers, schedules and parts of plans that are not the library's own, so that one that was edited under its old name
 * has other keys. What their functions close over is not seen: a value that matters belongs into the options.
 */
function ownText({ strategies: chosen, optimizer, schedule, batching = [] }: RunSpec): string[] {
  const parts: readonly (readonly [object, unknown, { readonly spec: { name: string; options: Json } }])[] = [
    ...chosen.map((s) => [strategies, s.hooks, s] as const),
    [optimizers, optimizer, optimizer],
    [schedules, schedule, schedule],
    ...batching.map((part) => [batchings, part.plan, part] as const),
  ];
  return parts.flatMap(([library, functions, { spec }]) => {
    const text = textOf(functions);
    return text === textOf(madeBy(library, spec)) ? [] : [text];
  });
}

/**
 * The parts of an experiment that are not the library's own and whose code cannot be seen: operators and sources of streams, layers,
 * backbones. A run with such a part is not taken from its record unasked, since the part may have changed.
 */
export function unseenParts({ stream, model }: RunSpec): string[] {
  const steps = (spec: StreamSpec): string[] => [
    ...(spec.name in (spec.of === undefined ? sources : operators) ? [] : [spec.name]),
    ...(spec.of === undefined ? [] : steps(spec.of)),
  ];
  return [...steps(stream.spec), ...unseenOf(model.spec)];
}

/** The names of backbones and layers that are not the library's own, also inside of layers. */
function unseenOf({ name, layers: stack }: ModelSpec): string[] {
  if (stack === undefined) return name in backbones ? [] : [name];
  return stack.flatMap((layer) => [
    ...(layer.name in layers ? [] : [layer.name]),
    ...(layer.layers ?? []).flatMap((inner) => unseenOf(inner)),
  ]);
}

function madeBy(library: object, { name, options }: { name: string; options: Json }): unknown {
  const make = (library as Record<string, unknown>)[name];
  if (typeof make !== "function") return undefined;
  try {
    const made = make(options) as { hooks?: unknown; plan?: unknown };
    return made.hooks ?? made.plan ?? made;
  } catch {
    return undefined;
  }
}

function textOf(functions: unknown): string {
  if (functions === undefined) return "";
  return Object.entries(functions as object)
    .map(([name, value]) =>
      name === "listens" && value !== undefined
        ? textOf(value)
        : `${name}: ${typeof value === "function" ? Function.prototype.toString.call(value) : ""}`,
    )
    .join("\n");
}

/** The machine and the versions a run was made with: for people; only code and device are part of the key. */
export function environment(device: string, code: string): Json {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    node: process.version,
    platform: `${platform()} ${release()} ${arch()}`,
    processor: processors[0]?.model ?? "unknown",
    processors: processors.length,
    memoryBytes: totalmem(),
    device,
    code,
    libraries: libraries(),
  };
}

/** How much a folder holds, in bytes. */
export function folderBytes(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true })) {
    try {
      const found = statSync(join(folder, String(name)));
      if (found.isFile()) bytes += found.size;
    } catch {
      // Removed meanwhile.
    }
  }
  return bytes;
}
