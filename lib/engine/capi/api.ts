/** ONNX Runtime's C interface: the functions that we call, by their place in its table (onnxruntime_c_api.h; the table only ever grows). */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { binaries, native as found } from "../runtime/native.ts";
import { native, runtime } from "../runtime/session.ts";
import { type Address, koffi } from "./koffi.ts";

/** The version of the table that is asked for: later ones begin with the same functions. */
const tableVersion = 22;

/** Functions that give an OrtStatus: null where all went well. */
const declared = {
  CreateEnv: [3, "int, const char*, _Out_ void**"],
  CreateSessionFromArray: [8, "void*, const void*, size_t, void*, _Out_ void**"],
  Run: [9, "void*, void*, void*, void*, size_t, void*, size_t, void*"],
  CreateSessionOptions: [10, "_Out_ void**"],
  SetSessionExecutionMode: [13, "void*, int"],
  SetSessionGraphOptimizationLevel: [23, "void*, int"],
  SetSessionLogSeverityLevel: [22, "void*, int"],
  SetIntraOpNumThreads: [24, "void*, int"],
  SetInterOpNumThreads: [25, "void*, int"],
  CreateRunOptions: [39, "_Out_ void**"],
  RunOptionsSetRunLogSeverityLevel: [41, "void*, int"],
  CreateTensorWithDataAsOrtValue: [49, "void*, void*, size_t, const int64_t*, size_t, int, _Out_ void**"],
  CreateMemoryInfo: [68, "const char*, int, int, int, _Out_ void**"],
  AddSessionConfigEntry: [130, "void*, const char*, const char*"],
  AddRunConfigEntry: [165, "void*, const char*, const char*"],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, "void*, void*"],
  CreateCUDAProviderOptions: [205, "_Out_ void**"],
  UpdateCUDAProviderOptions: [206, "void*, const char**, const char**, size_t"],
  SetDeterministicCompute: [273, "void*, bool"],
} as const satisfies Record<string, readonly [number, string]>;

/** Functions that give nothing: they free what the others have made. */
const freeing = {
  ReleaseStatus: 93,
  ReleaseMemoryInfo: 94,
  ReleaseSession: 95,
  ReleaseValue: 96,
  ReleaseRunOptions: 97,
  ReleaseSessionOptions: 100,
  ReleaseCUDAProviderOptions: 208,
} as const;

type Name = keyof typeof declared;

/** Calls a function; a status that is an error is thrown with its message. */
type Call = (name: Name, ...args: readonly unknown[]) => void;
/** Calls a function whose last argument is where it puts what it makes; gives that. */
type Make = (name: Name, ...args: readonly unknown[]) => Address;
type Free = (name: keyof typeof freeing, what: Address) => void;

/** The interface, ready to be called. */
export interface Api {
  readonly call: Call;
  readonly make: Make;
  readonly free: Free;
  readonly env: Address;
  /** The address of an array, which its owner keeps alive. */
  addressOf(array: ArrayBufferView): Address;
}

let opened: Api | undefined;

/** The library of ONNX Runtime that the binding for Node has loaded: there is one in the process, with one environment. */
function libraryPath(): string {
  const folder = binaries(found());
  const names = ["libonnxruntime.so.1", "libonnxruntime.1.dylib", "onnxruntime.dll"];
  const path = names.map((name) => join(folder, name)).find((one) => existsSync(one));
  if (path === undefined) throw new Error(`ONNX Runtime's library is required in ${folder}, found none`);
  return path;
}

/**
 * Opens the interface.
 *
 * @throws Error where koffi or ONNX Runtime does not load.
 */
export function api(): Api {
  if (opened !== undefined) return opened;
  const binding = runtime();
  if (binding instanceof Error) throw binding;
  const c = koffi();
  const base = c.load(libraryPath()).func("void* OrtGetApiBase()")() as Address;
  const [getTable] = c.decode(base, "void*", 1) as [Address];
  const table = (c.decode(getTable, c.proto("void* OrtGetApi(uint32_t)")) as (version: number) => Address | null)(
    tableVersion,
  );
  if (table === null)
    throw new Error(`ONNX Runtime with the C interface of version ${tableVersion} is required, got an older one`);
  const length = 1 + Math.max(...Object.values(declared).map(([at]) => at));
  const places = c.decode(table, "void*", length) as Address[];
  const codeOf = c.decode(places[1]!, c.proto("int OrtGetErrorCode(void*)")) as (status: Address) => number;
  const messageOf = c.decode(places[2]!, c.proto("const char* OrtGetErrorMessage(void*)")) as (
    status: Address,
  ) => string;
  const functions = new Map<string, (...args: readonly unknown[]) => Address | null>();
  for (const [name, [at, args]] of Object.entries(declared))
    functions.set(name, c.decode(places[at]!, c.proto(`void* Ort${name}(${args})`)));
  for (const [name, at] of Object.entries(freeing))
    functions.set(name, c.decode(places[at]!, c.proto(`void Ort${name}(void*)`)));

  const call: Call = (name, ...args) => {
    const status = native(() => functions.get(name)!(...args));
    if (!status) return;
    const [code, message] = [codeOf(status), messageOf(status)];
    functions.get("ReleaseStatus")!(status);
    throw Object.assign(new Error(message), { ortCode: code });
  };
  const make: Make = (name, ...args) => {
    const out: [Address | null] = [null];
    call(name, ...args, out);
    return out[0]!;
  };
  const free: Free = (name, what) => void native(() => functions.get(name)!(what));
  opened = { call, make, free, env: make("CreateEnv", 4, "thalweg"), addressOf: (array) => c.address(array) };
  return opened;
}
