/** Reads NumPy's files: one array (.npy), or several in a zip archive (.npz). */
import { inflateRawSync } from "node:zlib";
import type { Raw, Shape } from "../dataset.ts";
import type { ClassId } from "./class-ids.ts";

/** An array of a NumPy file: bytes stay bytes, everything else becomes single precision. */
export interface NpyArray {
  readonly shape: Shape;
  readonly values: Raw;
}

type Reader = (view: DataView, at: number) => number;

const readers: Readonly<Record<string, readonly [bytes: number, read: Reader]>> = {
  "|b1": [1, (v, at) => v.getUint8(at)],
  "|u1": [1, (v, at) => v.getUint8(at)],
  "|i1": [1, (v, at) => v.getInt8(at)],
  "<u2": [2, (v, at) => v.getUint16(at, true)],
  "<i2": [2, (v, at) => v.getInt16(at, true)],
  "<u4": [4, (v, at) => v.getUint32(at, true)],
  "<i4": [4, (v, at) => v.getInt32(at, true)],
  "<u8": [8, (v, at) => Number(v.getBigUint64(at, true))],
  "<i8": [8, (v, at) => Number(v.getBigInt64(at, true))],
  "<f4": [4, (v, at) => v.getFloat32(at, true)],
  "<f8": [8, (v, at) => v.getFloat64(at, true)],
};

/** The header of a .npy file, and where its values begin. */
interface Opened {
  readonly type: string;
  readonly shape: Shape;
  readonly count: number;
  readonly start: number;
  readonly view: DataView;
}

/**
 * The array of a .npy file (NumPy Enhancement Proposal 1, versions 1 to 3).
 *
 * @throws Error when the file is not one, is cut short, or holds what is not numbers in C order.
 */
export function readNpy(file: Uint8Array, name: string): NpyArray {
  const { type, shape, count, start, view } = opened(file, name, (type) => readers[type]?.[0]);
  if (type === "|u1" || type === "|b1") return { shape, values: file.slice(start, start + count) };
  const [bytes, read] = readers[type]!;
  return { shape, values: Float32Array.from({ length: count }, (_, i) => read(view, start + i * bytes)) };
}

/** The same for ids of classes, which stay exact: whole numbers of 64 bits are bigints, text is strings, truth values are booleans. */
export function readNpyIds(file: Uint8Array, name: string): { readonly shape: Shape; readonly values: ClassId[] } {
  const { type, shape, count, start, view } = opened(file, name, (type) => readers[type]?.[0] ?? textBytes(type));
  const wide = textBytes(type);
  const bytes = wide ?? readers[type]![0];
  const read = (at: number): ClassId => {
    if (type === "|b1") return view.getUint8(at) !== 0;
    if (type === "<i8") return view.getBigInt64(at, true);
    if (type === "<u8") return view.getBigUint64(at, true);
    if (wide !== undefined) return textAt(view, at, wide, type.startsWith("|"));
    return readers[type]![1](view, at);
  };
  return { shape, values: Array.from({ length: count }, (_, i) => read(start + i * bytes)) };
}

/** How many bytes a text of NumPy's type takes: `<U7` has seven characters of four bytes, `|S7` seven bytes. */
function textBytes(type: string): number | undefined {
  const [, kind, length] = /^(<U|\|S)(\d+)$/.exec(type) ?? [];
  return kind === undefined ? undefined : Number(length) * (kind === "<U" ? 4 : 1);
}

function textAt(view: DataView, at: number, bytes: number, narrow: boolean): string {
  const codes = Array.from({ length: bytes / (narrow ? 1 : 4) }, (_, i) =>
    narrow ? view.getUint8(at + i) : view.getUint32(at + 4 * i, true),
  );
  return String.fromCodePoint(...codes).replace(/\0+$/, "");
}

function opened(file: Uint8Array, name: string, bytesOf: (type: string) => number | undefined): Opened {
  if (file.length < 10 || file[0] !== 0x93 || new TextDecoder().decode(file.subarray(1, 6)) !== "NUMPY")
    throw new Error(`${name}: a NumPy file is required, got something else`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const wide = file[6]! >= 2;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (wide ? 12 : 10) + length;
  const header = new TextDecoder("latin1").decode(file.subarray(wide ? 12 : 10, start));
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? "";
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  const bytes = bytesOf(type);
  if (bytes === undefined || sizes === undefined)
    throw new Error(
      `${name}: an array of ${Object.keys(readers).join(", ")} is required, got ${type || "none"}; convert it with astype`,
    );
  if (/'fortran_order':\s*True/.test(header))
    throw new Error(`${name}: an array in C order is required, got Fortran order; save numpy.ascontiguousarray of it`);
  const shape = sizes.split(",").flatMap((n) => (n.trim() === "" ? [] : [Number(n)]));
  const count = shape.reduce((a, b) => a * b, 1);
  if (file.length - start < count * bytes)
    throw new Error(
      `${name}: shape (${shape.join(", ")}) promises ${count * bytes} bytes, got ${file.length - start}; the file is cut short`,
    );
  return { type, shape, count, start, view };
}

/**
 * The files of a zip archive by name (APPNOTE 4.3; stored or deflated, without encryption, below 4 GB).
 *
 * @throws Error when it is not a whole archive.
 */
export function readZip(file: Uint8Array, name: string): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let end = file.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw new Error(`${name}: a whole zip archive is required, got one without an end; fetch it again`);
  const files = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  for (let i = view.getUint16(end + 10, true); i > 0; i--) {
    if (view.getUint32(at, true) !== 0x02014b50)
      throw new Error(`${name}: the table of the archive is damaged; fetch it again`);
    const [method, packed] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
    const [nameLength, extra, comment] = [28, 30, 32].map((k) => view.getUint16(at + k, true)) as [
      number,
      number,
      number,
    ];
    const label = new TextDecoder().decode(file.subarray(at + 46, at + 46 + nameLength));
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const data = file.subarray(start, start + packed);
    if (method !== 0 && method !== 8)
      throw new Error(`${name}: ${label} is packed in a way that is not known (${method})`);
    try {
      files.set(label, method === 0 ? data : new Uint8Array(inflateRawSync(data)));
    } catch (cause) {
      throw new Error(`${name}: ${label} is damaged; fetch it again`, { cause });
    }
    at += 46 + nameLength + extra + comment;
  }
  return files;
}
