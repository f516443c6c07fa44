/** Memory where programs compute: taken and given back, copied to and from the host, every byte that crosses counted. */
import { sizeOf } from "../graph/graph.ts";
import type { ElementType, HostArray } from "../onnx/writer.ts";
import { native } from "../runtime/session.ts";
import { type Address, koffi } from "./koffi.ts";

/** How memory of one kind is had. */
export interface Store {
  /** The name that ONNX Runtime gives it. */
  readonly name: "Cpu" | "Cuda";
  readonly card: number;
  /** An address, or null where there is no room. */
  take(bytes: number): Address | null;
  give(at: Address): void;
  write(at: Address, from: Uint8Array): void;
  read(at: Address, into: Uint8Array): void;
}

/** There is no room left on the device. */
export class OutOfMemory extends Error {
  override readonly name = "OutOfMemory";
}

/** Memory of the process outside of JavaScript's: what is computed there crosses as it would to a GPU. */
export function processStore(): Store {
  const c = koffi().load(null);
  const [malloc, free] = [c.func("void* malloc(size_t)"), c.func("void free(void*)")];
  const copy = c.func("void* memcpy(void*, void*, size_t)");
  return {
    name: "Cpu",
    card: 0,
    take: (bytes) => malloc(bytes) as Address | null,
    give: (at) => void free(at),
    write: (at, from) => void copy(at, from, from.byteLength),
    read: (at, into) => void copy(into, at, into.byteLength),
  };
}

const types = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  uint8: Uint8Array,
  float64: Float64Array,
};
const typeBytes: Readonly<Record<ElementType, number>> = {
  float32: 4,
  int32: 4,
  int64: 8,
  bool: 1,
  uint8: 1,
  float64: 8,
};

/** The bytes of a tensor; of an empty one, too, since an address is needed. */
export const bytesOf = (type: ElementType, shape: readonly number[]): number =>
  Math.max(typeBytes[type] * sizeOf(shape), 1);

const asBytes = (data: HostArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A piece of device memory. */
export interface Place {
  readonly at: Address;
  readonly bytes: number;
  /** Where it waits for its next use. */
  readonly ring: Place[];
}

/** Free places are kept for the next use up to this share of all that is taken, and never less than the least. */
const keptShare = 0.5;
const leastKept = 64 << 20;

/** Device memory in use, with what is kept for the next step. */
export class DeviceMemory {
  readonly store: Store;
  /** Bytes that this process may take; default: all there are. */
  readonly limit: number;
  /** Bytes that crossed to the device and back. */
  readonly crossed = { in: 0, out: 0 };
  #taken = 0;
  #free = 0;
  readonly #rings = new Set<Place[]>();

  constructor(store: Store, limit: number = Number.POSITIVE_INFINITY) {
    this.store = store;
    this.limit = limit;
  }

  /** Bytes that are taken, those that wait for their next use included. */
  get taken(): number {
    return this.#taken;
  }

  /** Memory for one result or input of one program: the places of a ring have one size, so that addresses come again. */
  take(ring: Place[], bytes: number): Place {
    const again = ring.pop();
    if (again !== undefined && again.bytes === bytes) {
      this.#free -= bytes;
      return again;
    }
    if (again !== undefined) this.#drop(again, true);
    const at = this.#get(bytes);
    this.#rings.add(ring);
    this.#taken += bytes;
    return { at, bytes, ring };
  }

  #get(bytes: number): Address {
    const ask = (): Address | null => (this.#taken + bytes > this.limit ? null : native(() => this.store.take(bytes)));
    let at = ask();
    if (at === null) {
      this.trim();
      at = ask();
    }
    if (at !== null) return at;
    throw new OutOfMemory(
      `${megabytes(bytes)} of memory on the device are required, got none: this process holds ${megabytes(this.#taken)}${Number.isFinite(this.limit) ? ` of the ${megabytes(this.limit)} that it may` : ""}; use smaller batches or a smaller network, or free tensors`,
    );
  }

  /** Gives a place back when nothing uses it any more. */
  give(place: Place): void {
    const room = Math.max(leastKept, keptShare * this.#taken);
    if (this.#rings.has(place.ring) && this.#free + place.bytes <= room) {
      place.ring.push(place);
      this.#free += place.bytes;
    } else this.#drop(place, false);
  }

  #drop(place: Place, wasFree: boolean): void {
    this.#taken -= place.bytes;
    if (wasFree) this.#free -= place.bytes;
    native(() => this.store.give(place.at));
  }

  /** Frees what waits for its next use, of one ring or of all. */
  trim(ring?: Place[]): void {
    for (const one of ring === undefined ? this.#rings : [ring])
      for (const place of one.splice(0)) this.#drop(place, true);
    if (ring !== undefined) this.#rings.delete(ring);
  }

  /** Copies to the device. */
  write(place: Place, data: HostArray): void {
    const bytes = asBytes(data);
    this.crossed.in += bytes.byteLength;
    if (bytes.byteLength > 0) native(() => this.store.write(place.at, bytes));
  }

  /** Copies from the device. */
  read(place: Place, type: ElementType, size: number): HostArray {
    const data = new types[type](size);
    this.crossed.out += data.byteLength;
    if (data.byteLength > 0) native(() => this.store.read(place.at, asBytes(data)));
    return data;
  }
}

export const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

/** Gives a place back when the tensor on it is collected without having been disposed. */
const forgotten = new FinalizationRegistry<() => void>((give) => give());

/** Numbers on the device. */
export class DeviceTensor {
  readonly type: ElementType;
  readonly size: number;
  readonly place: Place;
  readonly memory: DeviceMemory;
  #isLive = true;

  constructor(memory: DeviceMemory, place: Place, type: ElementType, size: number) {
    this.memory = memory;
    this.place = place;
    this.type = type;
    this.size = size;
    forgotten.register(this, () => memory.give(place), this);
  }

  /** Copies the numbers to the host. */
  read(): HostArray {
    return this.memory.read(this.place, this.type, this.size);
  }

  dispose(): void {
    if (!this.#isLive) return;
    this.#isLive = false;
    forgotten.unregister(this);
    this.memory.give(this.place);
  }
}
