/** Memory of tensors: typed arrays that are reused, and the records that tfjs knows tensors by. */
import type { DataId, TensorInfo } from "@tensorflow/tfjs-core";
import type { DeviceMemory, DeviceTensor } from "../capi/memory.ts";
import type { Arr, DType, Permutation } from "../graph/arr.ts";
import { arrayFor, type Graph, sameShape, sizeOf } from "../graph/graph.ts";
import type { ElementType, HostArray } from "../onnx/writer.ts";
import { freeGpu, isOnGpu, readBack, reshaped, upload } from "./gpu-buffer.ts";
import { type OrtTensor, ortTensor } from "./session.ts";

/** One of the equal parts of a block. */
interface Place {
  readonly whole: Block;
  readonly at: number;
  readonly size: number;
}

/** Numbers as ONNX Runtime knows them: a typed array, or memory of the device that is read back when asked for. */
export class Block {
  readonly type: ElementType;
  readonly size: number;
  /** Made by us, and never handed out: its memory may be used again when the last tensor goes. */
  recyclable: boolean;
  /** Of one tensor alone: what it has on a device goes when that goes. */
  isOwn = true;
  /** Made by the user, who may write to it. */
  readonly foreign: boolean;
  /** Whether the engine itself writes other numbers into it from call to call, as it does with noise. */
  changes = false;
  #data: HostArray | null;
  #tensor: OrtTensor | null = null;
  /** The same numbers on a GPU of WebGPU. */
  #gpu: OrtTensor | null = null;
  /** Where it lies, when it is one of the equal parts of another block. */
  readonly #place: Place | null;
  /** Its own parts that are in use. */
  #inUse = 0;
  /** The same numbers on a device of the C interface. */
  #there: DeviceTensor | null = null;
  #came = 0;

  constructor(data: HostArray | OrtTensor | Place | DeviceTensor, type: ElementType, from: "engine" | "user") {
    this.type = type;
    this.recyclable = from === "engine";
    this.foreign = from === "user";
    this.#place = "whole" in data ? data : null;
    if ("whole" in data) {
      this.#data = null;
      this.size = data.size;
    } else if (ArrayBuffer.isView(data)) {
      this.#data = data;
      this.size = data.length;
    } else if ("place" in data) {
      this.#data = null;
      this.#there = data;
      this.size = data.size;
    } else {
      this.#data = null;
      this.#gpu = data;
      this.size = sizeOf(data.dims);
    }
  }

  /** The block of a result of ONNX Runtime, wherever it lies. */
  static of(result: OrtTensor): Block {
    return new Block(isOnGpu(result) ? result : result.data, result.type, "engine");
  }

  /** The block of a result that lies on a device of the C interface. */
  static onDevice(result: DeviceTensor): Block {
    return new Block(result, result.type, "engine");
  }

  /** The numbers where programs with this memory compute; null where they are not there. */
  resident(memory: DeviceMemory): DeviceTensor | null {
    return this.#there?.memory === memory ? this.#there : null;
  }

  /** Whether an input that is copied to the device has been before: then it is worth keeping there. */
  comesAgain(): boolean {
    return !this.changes && ++this.#came > 1;
  }

  /** Keeps a copy on the device. */
  keep(copy: DeviceTensor): void {
    this.#there?.dispose();
    this.#there = copy;
  }

  /** Its numbers as so many equal parts, one after the other: blocks that share its memory. */
  parts(count: number): Block[] {
    this.#inUse = count;
    const size = this.size / count;
    return Array.from({ length: count }, (_, at) => new Block({ whole: this, at, size }, this.type, "engine"));
  }

  /** The block that these are all the parts of, in order; null where they are not. */
  static wholeOf(parts: readonly Block[]): Block | null {
    const { whole } = parts[0]!.#place ?? { whole: null };
    const isAll = whole !== null && whole.size === parts.length * parts[0]!.size;
    return isAll && parts.every((part, at) => part.#place?.whole === whole && part.#place.at === at) ? whole : null;
  }

  get isPart(): boolean {
    return this.#place !== null;
  }

  /** A part goes: gives the block around it when no other part is in use any more. */
  leave(): Block | null {
    const { whole } = this.#place!;
    if (!this.recyclable) whole.recyclable = false;
    if (!this.isOwn) whole.isOwn = false;
    return --whole.#inUse === 0 ? whole : null;
  }

  /** Whether the numbers are on the device only. */
  get isResident(): boolean {
    return this.#data === null && (this.#place?.whole.isResident ?? true);
  }

  get data(): HostArray {
    if (this.#data === null && this.#place !== null) {
      const { whole, at } = this.#place;
      this.#data = whole.data.subarray(at * this.size, (at + 1) * this.size);
    }
    if (this.#data !== null) return this.#data;
    if (this.#there !== null) return (this.#data = this.#there.read());
    return (this.#data = readBack(this.#gpu!));
  }

  tensor(dims: readonly number[]): OrtTensor {
    if (this.#tensor === null || !sameShape(this.#tensor.dims, dims))
      this.#tensor = ortTensor(this.type, this.data, dims);
    return this.#tensor;
  }

  /** The numbers as a program on WebGPU takes them: where they are there, from there; what comes a second time is kept there. */
  gpuTensor(dims: readonly number[]): OrtTensor {
    if (this.#gpu !== null && !sameShape(this.#gpu.dims, dims)) this.#gpu = reshaped(this.#gpu, dims);
    const isKept = this.type === "float32" || this.type === "int32";
    if (this.#gpu === null && isKept && this.comesAgain()) this.#gpu = upload(this.type, this.data, dims);
    return this.#gpu ?? this.tensor(dims);
  }

  /** Frees memory of the device. */
  free(): void {
    if (this.#gpu !== null) freeGpu(this.#gpu);
    this.#there?.dispose();
    if (!this.isResident) this.#gpu = this.#there = null;
    this.#came = 0;
  }
}

const free = new Map<string, Block[]>();
let freeBytes = 0;
const freeBytesLimit = 256 << 20;

/** A block for results, its numbers undefined. */
export function takeBlock(type: ElementType, size: number): Block {
  const block = free.get(`${type}${size}`)?.pop();
  if (block) {
    freeBytes -= block.data.byteLength;
    return block;
  }
  return new Block(arrayFor(type, size), type, "engine");
}

/** Gives a block back when no tensor uses it any more. */
export function releaseBlock(block: Block): void {
  if (block.isPart) {
    const whole = block.leave();
    if (whole !== null) releaseBlock(whole);
    return;
  }
  if (block.isOwn) block.free();
  if (!block.recyclable || block.isResident) return;
  if (block.data.byteLength < 256 || freeBytes + block.data.byteLength > freeBytesLimit) return;
  const key = `${block.type}${block.data.length}`;
  const list = free.get(key);
  if (list) list.push(block);
  else free.set(key, [block]);
  freeBytes += block.data.byteLength;
}

/** A block that was handed out: its memory is never used again for other numbers. */
export const shared = (block: Block): Block => {
  block.recyclable = false;
  return block;
};

/** A block that several tensors have. */
export const joint = (block: Block): Block => {
  block.isOwn = false;
  return shared(block);
};

/** The error of a tensor whose recording is over. */
export const escaped = (): Error =>
  new Error("engine: a tensor made inside a compiled function was used after it returned; return it from the function");

/** Numbers as a typed array of their type. */
export function hostArray(values: HostArray | number[] | boolean[], dtype: string): HostArray {
  if (dtype === "float32") return values instanceof Float32Array ? values : Float32Array.from(values as number[]);
  if (dtype === "int32") return values instanceof Int32Array ? values : Int32Array.from(values as number[]);
  return values instanceof Uint8Array ? values : Uint8Array.from(values as number[]);
}

/** What one data id stands for. At least one of `block`, `arr` and `other` is set. */
export interface Entry {
  readonly id: DataId;
  readonly dtype: string;
  refCount: number;
  /** The numbers, once known. */
  block: Block | null;
  /** The layout of `block`: the seen shape and how its axes are stored, or null when stored as seen. */
  layout: { readonly shape: readonly number[]; readonly perm: Permutation } | null;
  /** The recorded value, valid for `graph` only. */
  arr: Arr | null;
  graph: Graph | null;
  /** Strings, and the two halves of complex numbers, which only the fallback computes with. */
  other: { readonly strings?: Uint8Array[]; readonly real?: TensorInfo; readonly imag?: TensorInfo } | null;
}

export const elementType = (dtype: string): ElementType =>
  dtype === "float32" ? "float32" : dtype === "int32" ? "int32" : "bool";
export const asDType = (dtype: string): DType => dtype as DType;

/** Writes the numbers of `data`, stored with the axes of `shape` permuted by `perm`, in the order seen. */
export function unpermuted(data: HostArray, shape: readonly number[], perm: Permutation, type: ElementType): HostArray {
  const out = arrayFor(type, data.length);
  walkPermuted(shape, perm, (stored, seen) => {
    out[seen] = data[stored]!;
  });
  return out;
}

/** Writes the numbers of `data`, in the order seen, with the axes of `shape` permuted by `perm`. */
export function permuted(data: HostArray, shape: readonly number[], perm: Permutation, type: ElementType): HostArray {
  const out = arrayFor(type, data.length);
  walkPermuted(shape, perm, (stored, seen) => {
    out[stored] = data[seen]!;
  });
  return out;
}

/** Visits an array whose axes are stored permuted, giving the index as stored and the index as seen. */
function walkPermuted(
  shape: readonly number[],
  perm: Permutation,
  visit: (stored: number, seen: number) => void,
): void {
  const strides = new Array<number>(shape.length);
  for (let axis = shape.length - 1, stride = 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  walk(
    perm.map((axis) => shape[axis]!),
    perm.map((axis) => strides[axis]!),
    visit,
  );
}

/** Visits a 4-D array in storage order, giving the running index and the index under other strides. */
function walk(dims: readonly number[], strides: readonly number[], visit: (at: number, other: number) => void): void {
  const [a, b, c, d] = dims as [number, number, number, number];
  const [sa, sb, sc, sd] = strides as [number, number, number, number];
  let at = 0;
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      for (let k = 0; k < c; k++) for (let l = 0; l < d; l++) visit(at++, i * sa + j * sb + k * sc + l * sd);
}
