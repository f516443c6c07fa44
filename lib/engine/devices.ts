/** Where programs run: what is there, what is not and why, and how to choose. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { type BoundName, boundDevice, wayOf } from "./capi/bound.ts";
import { type BoundDevice, bound, type DeviceOptions } from "./capi/device.ts";
import { hasKoffi } from "./capi/koffi.ts";
import { cSession } from "./capi/session.ts";
import { gpuStatus } from "./gpu/status.ts";
import { target } from "./graph/target.ts";
import { backend, backendName } from "./runtime/backend.ts";
import { gpuTraffic } from "./runtime/gpu-buffer.ts";
import { noteOnce } from "./runtime/note.ts";
import { createSession, ortTensor, runtime } from "./runtime/session.ts";

export type DeviceName =
  | "cpu"
  | "cpu-capi"
  | "webgpu"
  | "cuda"
  | "tensorflow"
  | "tensorflow-gpu"
  | "wasm"
  | "reference";

/** One place to compute. */
export interface Device {
  readonly name: DeviceName;
  /** What computes there. */
  readonly about: string;
  readonly isAvailable: boolean;
  /** Why it is not available, and what to install; "" when it is. */
  readonly reason: string;
}

const require = createRequire(import.meta.url);

const abouts: { readonly [name in DeviceName]: string } = {
  cpu: "ONNX Runtime on the processor",
  "cpu-capi": "ONNX Runtime on the processor through its C interface, as CUDA is used: for tests without a GPU",
  webgpu: "ONNX Runtime on a GPU through WebGPU (Vulkan, Metal or Direct3D)",
  cuda: "ONNX Runtime on an NVIDIA GPU",
  tensorflow: "@tensorflow/tfjs-node, operation by operation",
  "tensorflow-gpu": "@tensorflow/tfjs-node-gpu, operation by operation",
  wasm: "@tensorflow/tfjs-backend-wasm, operation by operation",
  reference: "tfjs-cpu: plain JavaScript, slow, for comparison",
};
const names = Object.keys(abouts) as DeviceName[];
const packages: { readonly [name: string]: string } = {
  tensorflow: "@tensorflow/tfjs-node",
  "tensorflow-gpu": "@tensorflow/tfjs-node-gpu",
  wasm: "@tensorflow/tfjs-backend-wasm",
};
const backends: { readonly [name: string]: string } = {
  tensorflow: "tensorflow",
  "tensorflow-gpu": "tensorflow",
  wasm: "wasm",
  reference: "cpu",
};

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
const probed = new Map<string, string>();

/** Why a provider of ONNX Runtime does not work here; "" when it does. Tried once, and CUDA until it works: it can be installed meanwhile. */
function probe(provider: "webgpu" | "cuda"): string {
  let reason = probed.get(provider);
  if (reason === undefined) {
    reason = tryProvider(provider);
    if (provider === "webgpu" || reason === "") probed.set(provider, reason);
  }
  return reason;
}

function tryProvider(provider: "webgpu" | "cuda"): string {
  const native = runtime();
  if (native instanceof Error) return `ONNX Runtime does not load: ${firstLine(native)}`;
  if (provider === "cuda") return tryBound("cuda");
  // Drivers that look for a window system complain on standard error where this says nothing.
  const { XDG_RUNTIME_DIR } = process.env;
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  try {
    const session = createSession(sum, { provider, threads: 1 });
    const { b } = session.run({ a: ortTensor("float32", Float32Array.of(1, 2), [2]) }, { b: null });
    session.dispose();
    return b!.data[1] === 4 ? "" : `it computes 2 + 2 = ${b!.data[1]}`;
  } catch (error) {
    const said = firstLine(error);
    return said.includes("adapter") ? "no GPU driver that it can use is found (Vulkan, Metal or Direct3D 12)" : said;
  } finally {
    if (XDG_RUNTIME_DIR === undefined) delete process.env.XDG_RUNTIME_DIR;
  }
}

/** Why the C interface does not work here; "" when it does. Runs a program of one operation. */
function tryBound(name: BoundName): string {
  const [missing] =
    name === "cuda"
      ? gpuStatus().missing
      : hasKoffi()
        ? []
        : ["the package koffi is not installed; `npm install koffi`"];
  if (missing !== undefined) return name === "cuda" ? `${missing}; \`npx thalweg gpu status\` tells the rest` : missing;
  try {
    return tryBinding(boundDevice(name, {}, () => {}));
  } catch (error) {
    return firstLine(error);
  }
}

const value = (name: string) => ({ name, type: "float32" as const, shape: [2] });
const adding = [{ op: "Add", name: "add", inputs: ["a", "a"], outputs: ["b"] }];
/** A program of one operation. */
const sum = { name: "probe", nodes: adding, inputs: [value("a")], outputs: [value("b")], initializers: [] };

function tryBinding(device: BoundDevice): string {
  const { memory } = device;
  const [a, b] = [memory.take([], 8), memory.take([], 8)];
  const session = cSession(sum, 1, device);
  try {
    memory.write(a, Float32Array.of(1, 2));
    session.run([{ ...a, shape: [2] }], [{ ...b, shape: [2] }]);
    const back = memory.read(b, "float32", 2);
    return back[1] === 4 ? "" : `it computes 2 + 2 = ${back[1]}`;
  } finally {
    session.dispose();
    memory.give(a);
    memory.give(b);
    memory.trim();
  }
}

function reasonAgainst(name: DeviceName): string {
  if (name === "reference") return "";
  if (name === "cpu") {
    const native = runtime();
    return native instanceof Error ? `ONNX Runtime does not load: ${firstLine(native)}` : "";
  }
  if (name === "cpu-capi") return tryBound(name);
  if (name === "webgpu" || name === "cuda") return probe(name);
  try {
    const folder = dirname(require.resolve(`${packages[name]}/package.json`));
    // Its installer downloads the native part, which may not have come.
    const isWhole = name === "wasm" || existsSync(join(folder, "lib/napi-v8/tfjs_binding.node"));
    return isWhole
      ? ""
      : `${packages[name]} is installed without its native part; lib/engine/README.md says how to build it`;
  } catch {
    return `${packages[name]} is not installed`;
  }
}

/** Loads the package of a device, which registers its backend with TensorFlow.js. */
function load(name: DeviceName): void {
  if (packages[name] === undefined) return;
  try {
    require(packages[name]);
  } catch (error) {
    throw new Error(
      `engine.use: a device that works is required, got "${name}"; ${packages[name]} does not load: ${firstLine(error)}`,
    );
  }
}

/** Lists every device, those that work and those that do not, with the reason; or those named. */
export function devices(...which: readonly DeviceName[]): Device[] {
  return (which.length > 0 ? which : names).map((name) => {
    const reason = reasonAgainst(name);
    return { name, about: abouts[name], isAvailable: reason === "", reason };
  });
}

let current: DeviceName = runtime() instanceof Error ? "reference" : "cpu";

/** The device that computes now. */
export const device = (): DeviceName => current;

noteOnce(() => {
  const threads = current === "cpu" ? `, ${target.threads} thread${target.threads === 1 ? "" : "s"}` : "";
  const way = bound.device === null ? "" : `; ${wayOf(bound.device)}`;
  return `thalweg: computing on ${current} (${abouts[current]}${threads}${way}); engine.devices() lists the others`;
});

/** What a run depends on besides the device, as THALWEG_DEVICE takes it: `tf32+graphs`; "" for the defaults. */
export function variant(): string {
  const { tf32 = false, graphs = false } = bound.device?.options ?? {};
  return [tf32 && "tf32", graphs && "graphs"].filter(Boolean).join("+");
}

let chosen = false;

/** Whether somebody has said where to compute, by `use` or THALWEG_DEVICE. */
export const isChosen = (): boolean => chosen;

/** A device with its options in a word, as THALWEG_DEVICE takes it: `cuda+tf32+graphs`. */
export function useNamed(named: string, byChoice = true): Promise<DeviceName> {
  const [name, ...options] = named.split("+");
  const other = options.find((option) => option !== "tf32" && option !== "graphs");
  if (other !== undefined)
    throw new RangeError(`engine: tf32 or graphs is required after the name of a device, got "${other}"`);
  const was = chosen;
  const done = use(name as DeviceName, Object.fromEntries(options.map((option) => [option, true])));
  chosen = was || byChoice;
  return done;
}

/**
 * Computes on another device from here on; what was compiled is compiled anew, tensors move when they are used.
 *
 * Resolves to the device's name. All but "wasm" are in use when the call returns. "cuda" takes options: memory, precision, CUDA graphs.
 *
 * @throws RangeError for a name that is not known or options that the device does not take, Error when the device does not work here.
 */
export function use(name: DeviceName, options: DeviceOptions = {}): Promise<DeviceName> {
  if (!names.includes(name)) throw new RangeError(`engine.use: one of ${names.join(", ")} is required, got "${name}"`);
  const isBound = name === "cuda" || name === "cpu-capi";
  if (!isBound && Object.keys(options).length > 0)
    throw new RangeError(`engine.use: no options are required for "${name}", got ${Object.keys(options).join(", ")}`);
  const reason = reasonAgainst(name);
  if (reason) throw new Error(`engine.use: a device that works is required, got "${name}"; ${reason}`);
  load(name);
  const device = isBound ? boundDevice(name, options, leaveLost) : null;
  chosen = true;
  const provider = name === "webgpu" || name === "cuda" ? name : "cpu";
  if (provider !== target.provider || isBound || bound.device !== null) {
    backend.forget();
    target.provider = provider;
    target.generation++;
    bound.device?.memory.trim();
    bound.device = device;
    Object.assign(gpuTraffic, { in: 0, out: 0 });
  }
  current = name;
  const done = tf.setBackend(backends[name] ?? backendName);
  // It would advertise another backend at its first use.
  if (name === "reference") (tf.findBackend("cpu") as tf.KernelBackend & { firstUse: boolean }).firstUse = false;
  return done.then((isReady) => {
    if (!isReady) throw new Error(`engine.use: "${name}" could not be started`);
    return name;
  });
}

/** Goes on on the processor when a device is lost: what is pending cannot be computed there any more. */
function leaveLost(): void {
  bound.device = null;
  backend.abandon();
  target.provider = "cpu";
  target.generation++;
  current = "cpu";
}
