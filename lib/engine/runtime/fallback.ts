/** Kernels that are not recorded run on tfjs-cpu, on copies of the numbers. */
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { backend, TraceError } from "./backend.ts";

interface ReferenceBackend extends tf.KernelBackend {
  firstUse: boolean;
  readonly data: {
    get(id: tf.DataId): { values: tf.BackendValues; complexTensorInfos?: { real: tf.TensorInfo; imag: tf.TensorInfo } };
  };
}

let own: ReferenceBackend | null = null;

/** A tfjs-cpu backend of our own, without its advertisement for another one. */
function reference(): ReferenceBackend {
  if (own === null) {
    own = new MathBackendCPU() as unknown as ReferenceBackend;
    own.firstUse = false;
  }
  return own;
}

function toReference(cpu: ReferenceBackend, info: tf.TensorInfo): tf.TensorInfo {
  if (info.dtype === "complex64") {
    const { real, imag } = backend.entry(info.dataId).other!;
    const kernel = tf.getKernel("Complex", "cpu")!.kernelFunc;
    const inputs = { real: toReference(cpu, real!), imag: toReference(cpu, imag!) };
    const made = kernel({ inputs, backend: cpu, attrs: {} }) as tf.TensorInfo;
    return { ...made, shape: info.shape };
  }
  // A copy: some of the reference's kernels write to their inputs.
  const values = backend.readSync(info.dataId);
  const copy = info.dtype === "string" ? [...(values as Uint8Array[])] : (values as Float32Array).slice();
  const { shape, dtype } = info;
  // Some of the reference's kernels ask for the rank that only tensors have.
  return {
    dataId: cpu.write(copy as tf.BackendValues, shape, dtype),
    shape,
    dtype,
    rank: shape.length,
  } as tf.TensorInfo;
}

function fromReference(cpu: ReferenceBackend, info: tf.TensorInfo): tf.TensorInfo {
  const { shape, dtype } = info;
  if (dtype === "complex64") {
    const { real, imag } = cpu.data.get(info.dataId).complexTensorInfos!;
    const parts = { real: fromReference(cpu, { ...real, shape }), imag: fromReference(cpu, { ...imag, shape }) };
    return { dataId: backend.wrap(parts, dtype), shape, dtype };
  }
  return { dataId: backend.write(cpu.data.get(info.dataId).values, shape, dtype), shape, dtype };
}

/** Runs one kernel on the reference. */
export function fallback(
  kernel: string,
  inputs: tf.NamedTensorInfoMap,
  attrs: tf.NamedAttrMap | undefined,
): tf.TensorInfo | tf.TensorInfo[] {
  const run = tf.getKernel(kernel, "cpu")?.kernelFunc;
  if (!run) throw new Error(`Kernel '${kernel}' is not known to backend 'thalweg' nor to its fallback.`);
  const cpu = reference();
  const given: tf.TensorInfo[] = [];
  const give = (info: tf.TensorInfo): tf.TensorInfo => {
    const copy = toReference(cpu, info);
    given.push(copy);
    return copy;
  };
  const args: Record<string, unknown> = {};
  try {
    for (const [name, info] of Object.entries(inputs)) {
      if (Array.isArray(info)) args[name] = info.map(give);
      else if (info) args[name] = give(info);
    }
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    throw new TraceError(
      `the kernel ${kernel} cannot be compiled`,
      "compute it outside the compiled function and pass its result as an argument",
    );
  }
  const list = Array.isArray(inputs) ? Object.values(args) : args;
  const results = run({ inputs: list as tf.NamedTensorInfoMap, attrs: attrs ?? {}, backend: cpu });
  const copies = [results].flat().map((info) => fromReference(cpu, info));
  for (const info of [...given, ...new Set([results].flat())]) cpu.disposeData(info.dataId, true);
  return Array.isArray(results) ? copies : copies[0]!;
}
