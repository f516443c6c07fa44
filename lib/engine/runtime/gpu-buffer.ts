/** Numbers in the memory of a GPU that WebGPU has: put there, seen under other shapes, read back; every byte that crosses is counted. */
import { sizeOf } from "../graph/graph.ts";
import type { ElementType, HostArray, NodeSpec, ValueSpec } from "../onnx/writer.ts";
import { createSession, type OrtTensor, ortTensor, type Session } from "./session.ts";

/** Bytes that went to the GPU and came back since it is in use, and that are held there. */
export const gpuTraffic = { in: 0, out: 0, held: 0 };

/** Whether a result of ONNX Runtime lies on the GPU. */
export const isOnGpu = (tensor: OrtTensor): boolean => tensor.location === "gpu-buffer";

const bytesOf = ({ type, dims }: OrtTensor): number =>
  sizeOf(dims) * { float32: 4, int32: 4, bool: 1, uint8: 1, int64: 8, float64: 8 }[type];

/** Counts a result that stays on the GPU, or one that comes back at once. */
export function counted(result: OrtTensor): OrtTensor {
  if (isOnGpu(result)) gpuTraffic.held += bytesOf(result);
  else gpuTraffic.out += bytesOf(result);
  return result;
}

/** Counts numbers of the host that a program is given. */
export function given(tensor: OrtTensor): OrtTensor {
  if (!isOnGpu(tensor)) gpuTraffic.in += bytesOf(tensor);
  return tensor;
}

/** Frees the memory of a tensor on the GPU. */
export function freeGpu(tensor: OrtTensor): void {
  gpuTraffic.held -= bytesOf(tensor);
  tensor.dispose?.();
}

const programs = new Map<string, Session>();

/** A program of one operation on tensors of one type and rank. */
function program(op: "Identity" | "Reshape", type: ElementType, rank: number, to: number, stays: boolean): Session {
  const key = `${op} ${type} ${rank} ${to} ${stays}`;
  const known = programs.get(key);
  if (known !== undefined) return known;
  const value = (name: string, size: number): ValueSpec => ({
    name,
    type,
    shape: Array.from({ length: size }, (_, i) => `${name}${i}`),
  });
  const inputs = [
    value("from", rank),
    ...(op === "Reshape" ? [{ name: "shape", type: "int64", shape: [to] } as const] : []),
  ];
  const nodes: NodeSpec[] = [{ op, name: "copy", inputs: inputs.map(({ name }) => name), outputs: ["to"] }];
  const spec = { name: "copy", nodes, inputs, outputs: [value("to", to)], initializers: [] };
  const made = createSession(spec, { provider: "webgpu", threads: 1, ...(stays && { resident: ["to"] }) });
  programs.set(key, made);
  return made;
}

/** Copies numbers to the GPU, to stay there. */
export function upload(type: ElementType, data: HostArray, dims: readonly number[]): OrtTensor {
  const from = given(ortTensor(type, data, dims));
  const { to } = program("Identity", type, dims.length, dims.length, true).run({ from }, { to: null });
  return counted(to!);
}

/** The same numbers under another shape; the tensor that is given is freed. */
export function reshaped(from: OrtTensor, dims: readonly number[]): OrtTensor {
  const shape = ortTensor("int64", BigInt64Array.from(dims, BigInt), [dims.length]);
  const { to } = program("Reshape", from.type, from.dims.length, dims.length, true).run({ from, shape }, { to: null });
  freeGpu(from);
  return counted(to!);
}

/** Copies numbers to the host; the tensor stays. */
export function readBack(from: OrtTensor): HostArray {
  const { to } = program("Identity", from.type, from.dims.length, from.dims.length, false).run({ from }, { to: null });
  return counted(to!).data;
}
