/** Reads arrays of bytes and numbers out of MATLAB files of version 5. */
import { inflateSync } from "node:zlib";

/** An array in column-major order, as MATLAB keeps it. */
export interface MatArray {
  readonly sizes: readonly number[];
  readonly values: ArrayLike<number>;
}

/** Bytes and the readers of the number types of the format, by their codes. */
const types: Readonly<Record<number, readonly [bytes: number, read: (view: DataView, at: number) => number]>> = {
  1: [1, (v, at) => v.getInt8(at)],
  2: [1, (v, at) => v.getUint8(at)],
  3: [2, (v, at) => v.getInt16(at, true)],
  4: [2, (v, at) => v.getUint16(at, true)],
  5: [4, (v, at) => v.getInt32(at, true)],
  6: [4, (v, at) => v.getUint32(at, true)],
  7: [4, (v, at) => v.getFloat32(at, true)],
  9: [8, (v, at) => v.getFloat64(at, true)],
};
const [compressed, matrix] = [15, 14];

/** A piece of the file: its type and where its data lies. */
interface Element {
  readonly type: number;
  readonly data: Uint8Array;
  readonly next: number;
}

/**
 * The numeric arrays of a MATLAB file by name (MAT-File Format, version 5, chapter 1; little-endian).
 *
 * @throws Error when the file is not one, or is cut short.
 */
export function readMat(file: Uint8Array, name: string): ReadonlyMap<string, MatArray> {
  if (file.length < 128 || file[126] !== 0x49 || file[127] !== 0x4d)
    throw new Error(
      `${name}: a little-endian MATLAB file of version 5 is required; fetch it again, or save it with -v7`,
    );
  const found = new Map<string, MatArray>();
  for (let at = 128; at < file.length; ) {
    const element = elementAt(file, at, name);
    at = element.next;
    const inner = element.type === compressed ? elementAt(inflated(element.data, name), 0, name) : element;
    if (inner.type !== matrix) continue;
    const [label, array] = arrayOf(inner.data, name);
    if (array !== undefined) found.set(label, array);
  }
  return found;
}

function inflated(data: Uint8Array, name: string): Uint8Array {
  try {
    return inflateSync(data);
  } catch (cause) {
    throw new Error(`${name}: a whole file is required, got one with a damaged part; fetch it again`, { cause });
  }
}

function elementAt(file: Uint8Array, at: number, name: string): Element {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (at + 8 > file.length) throw new Error(`${name}: the file ends inside an element; fetch it again`);
  const word = view.getUint32(at, true);
  const small = word >>> 16; // a short element has its length beside its type
  const [type, length, start] =
    small > 0 ? [word & 0xffff, small, at + 4] : [word, view.getUint32(at + 4, true), at + 8];
  if (start + length > file.length) throw new Error(`${name}: the file ends inside an element; fetch it again`);
  const end = small > 0 ? at + 8 : start + length;
  const next = small > 0 || type === compressed ? end : start + 8 * Math.ceil(length / 8);
  return { type, data: file.subarray(start, start + length), next };
}

function arrayOf(data: Uint8Array, name: string): readonly [string, MatArray | undefined] {
  const flags = elementAt(data, 0, name);
  const sizes = elementAt(data, flags.next, name);
  const label = elementAt(data, sizes.next, name);
  const text = new TextDecoder().decode(label.data);
  const values = elementAt(data, label.next, name);
  const reader = types[values.type];
  const dims = numbers(sizes, name);
  if (reader === undefined) return [text, undefined];
  const got = values.type === 2 ? values.data : numbers(values, name);
  return [text, { sizes: Array.from(dims), values: got }];
}

function numbers({ type, data }: Element, name: string): Float64Array {
  const reader = types[type];
  if (reader === undefined) throw new Error(`${name}: an array of numbers is required, got type ${type}`);
  const [bytes, read] = reader;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Float64Array.from({ length: data.length / bytes }, (_, i) => read(view, i * bytes));
}
