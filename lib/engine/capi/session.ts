/**
 * A compiled graph as ONNX Runtime's C interface runs it: tensors at addresses, made known once and used again when the addresses come again.
 *
 * Not through an IoBinding: that copies an input for a node on the processor when it is bound, and would give the old numbers at the next run.
 */
import { type GraphSpec, onnxBytes, type ValueSpec } from "../onnx/writer.ts";
import type { BoundDevice } from "./device.ts";
import type { Address } from "./koffi.ts";

/** Numbers at an address. */
export interface Bound {
  readonly at: Address;
  readonly bytes: number;
  readonly shape: readonly number[];
}

/** One compiled graph. */
export interface CSession {
  run(inputs: readonly Bound[], outputs: readonly Bound[]): void;
  dispose(): void;
}

/** Element types as the C interface numbers them. */
const typeCodes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
const levels = { none: 0, basic: 1, all: 99 } as const;
const [deviceAllocator, defaultMemory, sequential, silent] = [0, 0, 0, 4];
/** Sets of addresses that are kept, and so the CUDA graphs of a program: the addresses of a state alternate between two. */
const addressLimit = 8;

/** The tensors of a run, at their addresses. */
interface Tensors {
  readonly inputs: BigUint64Array;
  readonly outputs: BigUint64Array;
  readonly options: Address;
}

/** Whether a program can be a CUDA graph: no loop, and shapes that never change. */
export const isGraphable = ({ nodes, inputs, outputs }: GraphSpec): boolean =>
  nodes.every(({ op }) => op !== "Loop" && op !== "Scan" && op !== "If") &&
  [...inputs, ...outputs].every(({ shape }) => shape.every((size) => typeof size === "number"));

/** Compiles a graph for a device. */
export function cSession(spec: GraphSpec, threads: number, device: BoundDevice): CSession {
  const { api } = device;
  const wanted = device.provider === "cuda" && device.options.graphs && isGraphable(spec);
  let isCaptured = wanted;
  const model = onnxBytes(spec);
  let session: Address;
  try {
    session = opened(model, threads, device, wanted);
  } catch (error) {
    if (!wanted) throw error;
    // A node without a kernel for the device: the program runs, but cannot be captured.
    isCaptured = false;
    session = opened(model, threads, device, false);
  }
  if (wanted) device.captured[isCaptured ? "graphs" : "refused"]++;
  const place = api.make(
    "CreateMemoryInfo",
    device.memory.store.name,
    deviceAllocator,
    device.memory.store.card,
    defaultMemory,
  );
  const known = new Map<string, Tensors>();
  const names = [spec.inputs, spec.outputs].map((values) => values.map(({ name }) => Buffer.from(`${name}\0`)));
  const [inputNames, outputNames] = names.map((all) => BigUint64Array.from(all, api.addressOf)) as [
    BigUint64Array,
    BigUint64Array,
  ];
  let captures = 0;

  function tensors(inputs: readonly Bound[], outputs: readonly Bound[]): Tensors {
    const values = (specs: readonly ValueSpec[], all: readonly Bound[]): BigUint64Array =>
      BigUint64Array.from(all, ({ at, bytes, shape }, i) => {
        const dims = BigInt64Array.from(shape, BigInt);
        const type = typeCodes[specs[i]!.type];
        return api.make("CreateTensorWithDataAsOrtValue", place, at, bytes, dims, dims.length, type);
      });
    const options = api.make("CreateRunOptions");
    api.call("RunOptionsSetRunLogSeverityLevel", options, silent);
    // A graph belongs to its addresses; beyond so many of them a run is an ordinary one.
    if (isCaptured)
      api.call("AddRunConfigEntry", options, "gpu_graph_id", captures < addressLimit ? `${++captures}` : "-1");
    return { inputs: values(spec.inputs, inputs), outputs: values(spec.outputs, outputs), options };
  }

  function release({ inputs, outputs, options }: Tensors): void {
    for (const value of [...inputs, ...outputs]) api.free("ReleaseValue", value);
    api.free("ReleaseRunOptions", options);
  }

  return {
    run(inputs, outputs) {
      let key = "";
      for (const { at, shape } of inputs) key += `${at}:${shape};`;
      for (const { at } of outputs) key += `${at};`;
      let found = known.get(key);
      if (found === undefined) {
        found = tensors(inputs, outputs);
        known.set(key, found);
        if (known.size > addressLimit) {
          const [oldest] = known;
          known.delete(oldest![0]);
          release(oldest![1]);
        }
      }
      const [given, wanted] = [found.inputs, found.outputs];
      api.call("Run", session, found.options, inputNames, given, given.length, outputNames, wanted.length, wanted);
    },
    dispose() {
      for (const one of known.values()) release(one);
      known.clear();
      names.length = 0; // they lay where ONNX Runtime reads them
      api.free("ReleaseMemoryInfo", place);
      api.free("ReleaseSession", session);
    },
  };
}

function opened(
  model: Uint8Array,
  threads: number,
  { api, provider, options, memory }: BoundDevice,
  graph: boolean,
): Address {
  const settings = api.make("CreateSessionOptions");
  try {
    api.call("SetSessionGraphOptimizationLevel", settings, levels[options.optimise]);
    api.call("SetSessionExecutionMode", settings, sequential);
    api.call("SetIntraOpNumThreads", settings, threads);
    api.call("SetInterOpNumThreads", settings, 1);
    api.call("SetSessionLogSeverityLevel", settings, silent);
    api.call("AddSessionConfigEntry", settings, "session.force_spinning_stop", "1");
    api.call("AddSessionConfigEntry", settings, "session.set_denormal_as_zero", "1");
    if (provider === "cuda") {
      api.call("SetDeterministicCompute", settings, true);
      append(settings, { api, options, memory }, graph);
    }
    return api.make("CreateSessionFromArray", api.env, model, model.byteLength, settings);
  } finally {
    api.free("ReleaseSessionOptions", settings);
  }
}

/** The settings of the CUDA provider. */
export function cudaSettings(
  { options, memory }: Pick<BoundDevice, "options" | "memory">,
  graph: boolean,
): Record<string, string> {
  return {
    device_id: `${options.card}`,
    use_tf32: options.tf32 ? "1" : "0",
    enable_cuda_graph: graph ? "1" : "0",
    // What is tried out at every new shape would take seconds, and may choose another algorithm each time.
    cudnn_conv_algo_search: "HEURISTIC",
    arena_extend_strategy: "kSameAsRequested",
    ...(Number.isFinite(memory.limit) && { gpu_mem_limit: `${memory.limit}` }),
  };
}

function append(settings: Address, device: Pick<BoundDevice, "api" | "options" | "memory">, graph: boolean): void {
  const { api } = device;
  const cuda = api.make("CreateCUDAProviderOptions");
  try {
    const chosen = cudaSettings(device, graph);
    const [keys, values] = [Object.keys(chosen), Object.values(chosen)];
    api.call("UpdateCUDAProviderOptions", cuda, keys, values, keys.length);
    api.call("SessionOptionsAppendExecutionProvider_CUDA_V2", settings, cuda);
  } finally {
    api.free("ReleaseCUDAProviderOptions", cuda);
  }
}
