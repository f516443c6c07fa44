/**
 * A TensorFlow.js backend that records instead of computing.
 *
 * Kernels append to a graph; reading a tensor compiles everything recorded and not yet computed into one program, which is kept
 * under the graph's structure, so that the second pass through the same code runs it again. Inside a trace (see trace.ts) the
 * same kernels record one function.
 */
import * as tf from "@tensorflow/tfjs-core";
import { type Arr, arr, full, oihw, permute, reshape } from "../graph/arr.ts";
import { arrayFor, constantNumber, Graph, sameShape, sizeOf, type Value } from "../graph/graph.ts";
import { lower, reach } from "../graph/lower.ts";
import type { HostArray } from "../onnx/writer.ts";
import { compile, ProgramCache, structure, workOf } from "./program.ts";
import {
  asDType,
  Block,
  type Entry,
  elementType,
  escaped,
  hostArray,
  joint,
  permuted,
  releaseBlock,
  shared,
  unpermuted,
} from "./storage.ts";
import { TraceError } from "./trace-error.ts";

export { TraceError };

export const backendName = "thalweg";

/** What a trace decides about numbers that exist before or come up during it. */
export interface Tracing {
  readonly graph: Graph;
  /** The value that stands for a tensor with known numbers. */
  leaf(entry: Entry, shape: readonly number[]): Arr;
}

/** More recorded operations than this are computed even if nobody reads them. */
const pendingLimit = 5000;

export class Backend extends tf.KernelBackend {
  #entries = new WeakMap<tf.DataId, Entry>();
  #count = 0;
  readonly #pending = new Set<Entry>();
  readonly #programs = new ProgramCache(512, 64);
  #lazy = new Graph();
  readonly #waiting: Block[] = []; // of tensors that are gone, but not for what is recorded
  #tracing: Tracing | null = null;

  get graph(): Graph {
    return this.#tracing?.graph ?? this.#lazy;
  }
  get tracing(): Tracing | null {
    return this.#tracing;
  }

  /** What records now: the trace, or the graph of what is pending, which is computed up to here. */
  get recording(): Tracing {
    if (this.#tracing) return this.#tracing;
    this.flush();
    return { graph: this.#lazy, leaf: (entry, shape) => this.#leaf(entry, shape) };
  }

  /** Records what `body` does into another graph. */
  trace<R>(tracing: Tracing, body: () => R): R {
    if (!this.#tracing) this.flush();
    const outer = this.#tracing;
    this.#tracing = tracing;
    try {
      return body();
    } finally {
      this.#tracing = outer;
    }
  }

  /** The entry of a data id of this backend; numbers of another backend are fetched. */
  entry(id: tf.DataId): Entry {
    let found = this.#entries.get(id);
    if (!found) {
      (tf.engine() as unknown as { moveData(backend: tf.KernelBackend, id: tf.DataId): void }).moveData(this, id);
      found = this.#entries.get(id)!;
    }
    return found;
  }

  #add(id: tf.DataId, dtype: string, refCount: number): Entry {
    const entry: Entry = {
      id,
      dtype,
      refCount,
      block: null,
      layout: null,
      arr: null,
      graph: null,
      other: null,
    };
    this.#entries.set(id, entry);
    this.#count++;
    return entry;
  }

  /** Makes an entry for a recorded value. */
  make(result: Arr): tf.TensorInfo {
    const dtype = result.value.type as string;
    const entry = this.#add({}, dtype, 1);
    entry.arr = result;
    entry.graph = this.graph;
    if (!this.#tracing) this.#pending.add(entry);
    return { dataId: entry.id, shape: result.shape as number[], dtype: asDType(dtype) };
  }

  /** Makes an entry for computed numbers. */
  adopt(block: Block, dtype: string, layout: Entry["layout"]): tf.DataId {
    const entry = this.#add({}, dtype, 1);
    entry.block = block;
    entry.layout = layout;
    return entry.id;
  }

  /** Makes an entry for what only the fallback computes with. */
  wrap(other: NonNullable<Entry["other"]>, dtype: string): tf.DataId {
    const entry = this.#add({}, dtype, 1);
    entry.other = other;
    return entry.id;
  }

  /** The recorded value of a tensor, with the tensor's own shape. */
  arr(info: tf.TensorInfo): Arr {
    const entry = this.entry(info.dataId);
    if (entry.graph !== this.graph) {
      if (!entry.block) {
        if (entry.graph !== this.#lazy || !this.#pending.has(entry)) throw escaped();
        const tracing = this.#tracing;
        this.#tracing = null;
        this.flush();
        this.#tracing = tracing;
      }
      entry.arr = this.#tracing ? this.#tracing.leaf(entry, info.shape) : this.#leaf(entry, info.shape);
      entry.graph = this.graph;
    }
    return reshape(this.graph, entry.arr!, info.shape);
  }

  #leaf(entry: Entry, shape: readonly number[]): Arr {
    let block = entry.block!;
    if (block.foreign) {
      // The array may change before the recorded operations run.
      block = new Block(block.data.slice(), block.type, "engine");
      entry.block = block;
    }
    const { layout } = entry;
    if (layout) {
      return arr(this.graph.input(permute(layout.shape, layout.perm), block.type, block), layout.shape, layout.perm);
    }
    return arr(this.graph.input(shape, block.type, block), shape);
  }

  /** Computes everything recorded that a tensor still stands for. */
  flush(): void {
    if (this.#pending.size === 0) {
      if (this.#lazy.count > 0) this.#lazy = new Graph();
      this.#settled();
      return;
    }
    const g = this.#lazy;
    const wanted: { entry: Entry; value: Value }[] = [];
    for (const entry of this.#pending) {
      const filled = constantNumber(entry.arr!.value);
      if (filled !== null) {
        const data = arrayFor(elementType(entry.dtype), sizeOf(entry.arr!.shape)) as Float32Array;
        entry.block = new Block(data.fill(filled), elementType(entry.dtype), "engine");
      } else {
        wanted.push({ entry, value: full(g, entry.arr!) });
      }
    }
    this.#lazy = new Graph();
    try {
      const values = [...new Set(wanted.map(({ value }) => value))];
      const blocks = this.#compute(values);
      for (const { entry, value } of wanted) {
        const block = blocks[values.indexOf(value)]!;
        if (wanted.some((other) => other.entry !== entry && other.value === value)) joint(block);
        entry.block = block;
      }
    } finally {
      this.#settled();
    }
  }

  #settled(): void {
    for (const block of this.#waiting.splice(0)) releaseBlock(block);
    for (const entry of this.#pending) {
      entry.arr = null;
      entry.graph = null;
    }
    this.#pending.clear();
  }

  /** Runs the program of some values, all of whose inputs are blocks. */
  #compute(values: readonly Value[]): Block[] {
    const { nodes, leaves } = reach(values);
    if (nodes.length === 0 && values.every((value) => value.leaf?.kind === "input"))
      return values.map((value) => joint((value.leaf as { source: Block }).source));
    const inputs = leaves.filter((leaf) => leaf.leaf!.kind === "input");
    const program = this.#programs.get(structure(nodes, leaves, values), () =>
      compile(lower("lazy", inputs, values), workOf(nodes)),
    );
    return program.run(
      inputs.map((value) => (value.leaf as { source: Block }).source),
      inputs.map((value) => value.shape),
      values,
    );
  }

  /** Forgets all compiled programs; the next reads compile for the device then in use. */
  forget(): void {
    this.flush();
    this.dispose();
  }

  /** Forgets what is recorded and all programs, computing nothing: the device that would compute it is gone. */
  abandon(): void {
    this.#settled();
    this.#lazy = new Graph();
    this.dispose();
  }

  /** Called before each kernel. */
  begin(kernel: string): void {
    if (!this.#tracing && this.#lazy.count > pendingLimit) this.flush();
    this.graph.label = kernel;
  }

  override write(values: tf.BackendValues | null, shape: number[], dtype: tf.DataType): tf.DataId {
    const id = {};
    this.#fill(this.#add(id, dtype, 1), values, shape, dtype);
    return id;
  }

  override move(id: tf.DataId, values: tf.BackendValues, shape: number[], dtype: tf.DataType, refCount: number): void {
    this.#fill(this.#add(id, dtype, refCount), values, shape, dtype);
  }

  #fill(entry: Entry, values: tf.BackendValues | null, shape: number[], dtype: string): void {
    if (dtype === "string") {
      entry.other = { strings: (values ?? new Array(sizeOf(shape)).fill("")) as Uint8Array[] };
      return;
    }
    if (dtype === "complex64") {
      const halves = values as unknown as { real: Float32Array; imag: Float32Array } | null;
      const half = (data: Float32Array | undefined): tf.TensorInfo => ({
        dataId: this.write(data ?? null, shape, "float32"),
        shape,
        dtype: "float32",
      });
      entry.other = { real: half(halves?.real), imag: half(halves?.imag) };
      return;
    }
    const type = elementType(dtype);
    const data = values ? hostArray(values as HostArray, dtype) : arrayFor(type, sizeOf(shape));
    entry.block = new Block(data, type, values ? "user" : "engine");
  }

  override readSync(id: tf.DataId): tf.BackendValues {
    const entry = this.entry(id);
    if (entry.other) {
      const { strings, real, imag } = entry.other;
      if (strings) return strings as unknown as tf.BackendValues;
      const re = this.readSync(real!.dataId) as Float32Array;
      const im = this.readSync(imag!.dataId) as Float32Array;
      return tf.backend_util.mergeRealAndImagArrays(re, im);
    }
    return this.host(entry).data as tf.BackendValues;
  }

  override read(id: tf.DataId): Promise<tf.BackendValues> {
    // A failed read is a rejected promise, never a thrown error.
    return new Promise((resolve) => resolve(this.readSync(id)));
  }

  /** The numbers of a tensor, in the order seen. The block is never used again for other numbers. */
  host(entry: Entry): Block {
    this.#settle(entry);
    return shared(entry.block!);
  }

  #settle(entry: Entry): void {
    if (!entry.block) {
      if (this.#tracing && entry.graph === this.#tracing.graph) entry.block = this.#fold(entry);
      else if (this.#pending.has(entry)) this.flush();
      else throw escaped();
    }
    if (entry.layout) {
      const { shape, perm } = entry.layout;
      const type = elementType(entry.dtype);
      const block = new Block(unpermuted(entry.block!.data, shape, perm, type), type, "engine");
      this.#release(entry);
      entry.block = block;
      entry.layout = null;
    }
  }

  /** The numbers of a tensor as a program takes them: in the order seen. */
  known(entry: Entry): Block {
    if (entry.layout || !entry.block) this.#settle(entry);
    return entry.block!;
  }

  /** The numbers of a filter, stored O, I, H, W, and kept so from here on. */
  asFilter(entry: Entry, shape: readonly number[]): Block {
    if (entry.layout && sameShape(entry.layout.perm, oihw)) return entry.block!;
    this.#settle(entry);
    const type = elementType(entry.dtype);
    const block = new Block(permuted(entry.block!.data, shape, oihw, type), type, "engine");
    // Tensors that share the numbers under another shape need them as they are.
    if (entry.refCount > 1) return block;
    this.#release(entry);
    entry.block = block;
    entry.layout = { shape, perm: oihw };
    if (entry.graph === this.#lazy) entry.graph = null;
    return block;
  }

  /** The numbers of a tensor are from here on in another block, which has the same. */
  relocate(entry: Entry, block: Block): void {
    this.#release(entry);
    entry.block = block;
    if (entry.graph === this.#lazy) entry.graph = null;
  }

  /** Computes a traced value that depends on constants alone. */
  #fold(entry: Entry): Block {
    const value = full(this.graph, entry.arr!);
    const { leaves } = reach([value]);
    if (leaves.some((leaf) => leaf.leaf!.kind === "input")) {
      throw new TraceError(
        "the numbers of a tensor that depends on the arguments were read",
        "keep the decision in tensors (tf.where, tf.mul by a mask), or read the numbers outside the compiled function",
      );
    }
    return this.#compute([value])[0]!;
  }

  override disposeData(id: tf.DataId, force = false): boolean {
    const entry = this.#entries.get(id);
    if (!entry) return true;
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    this.#entries.delete(id);
    this.#count--;
    this.#pending.delete(entry);
    if (entry.other?.real) this.disposeData(entry.other.real.dataId);
    if (entry.other?.imag) this.disposeData(entry.other.imag.dataId);
    this.#release(entry);
    return true;
  }

  #release(entry: Entry): void {
    if (!entry.block) return;
    // Recorded operations may still refer to the block: it goes when they are computed.
    if (entry.graph === this.#lazy) this.#waiting.push(entry.block);
    else releaseBlock(entry.block);
  }

  override incRef(id: tf.DataId): void {
    this.entry(id).refCount++;
  }
  override refCount(id: tf.DataId): number {
    return this.#entries.get(id)?.refCount ?? 0;
  }
  override numDataIds(): number {
    return this.#count;
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }
  override floatPrecision(): 16 | 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override timerAvailable(): boolean {
    return true;
  }
  override async time(body: () => void): Promise<tf.BackendTimingInfo> {
    this.flush();
    const start = performance.now();
    body();
    this.flush();
    return { kernelMs: performance.now() - start };
  }
  override dispose(): void {
    this.#programs.clear();
  }
}

export const backend: Backend = new Backend();
