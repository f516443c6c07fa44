/** Files of named tensors in the safetensors format: the length of a header, the header as JSON, then the numbers. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { HostArray } from "./host.ts";
import { type RawType, rawNumbers, widths } from "./raw-numbers.ts";

/** What a file of tensors holds. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, HostArray>;
  /** Words about the file, by name. */
  readonly metadata: { readonly [name: string]: string };
}

/** The types that tensors have, in the order in which a file has them. */
const names = { float32: "F32", int32: "I32", bool: "BOOL" } as const;
/** The longest header that readers of the format take. */
const longest = 100e6;

/**
 * Tensors by name as the bytes of a file, the same bytes that the format's own writer makes of them: by type, within a type by name, the
 * numbers from a multiple of 8 bytes on.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, HostArray>,
  metadata: { readonly [name: string]: string } = {},
): Uint8Array {
  const rank = Object.keys(names);
  const order = [...tensors].sort(
    ([a, x], [b, y]) => rank.indexOf(x.dtype) - rank.indexOf(y.dtype) || (a < b ? -1 : 1),
  );
  let at = 0;
  const entries = order.map(([name, { data, shape, dtype }]) => {
    const begin = at;
    at += data.byteLength;
    return [name, { dtype: names[dtype], shape, data_offsets: [begin, at] }] as const;
  });
  const header = { ...(Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {}) };
  let text = new TextEncoder().encode(JSON.stringify({ ...header, ...Object.fromEntries(entries) }));
  const pad = (8 - (text.length % 8)) % 8;
  if (pad > 0) text = Uint8Array.of(...text, ...new Array<number>(pad).fill(0x20));
  const out = new Uint8Array(8 + text.length + at);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  let next = 8 + text.length;
  for (const [, { data }] of order) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), next);
    next += data.byteLength;
  }
  return out;
}

/**
 * The tensors in a file. Numbers of half and double length become 32-bit ones, whole numbers of all lengths too.
 *
 * @throws Error when the file is cut short, is not of the format, or has numbers beyond 32 bits.
 */
export function readSafetensors(path: string): TensorFile {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const take = (from: number, length: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      for (let got = 0; got < length; ) {
        const more = readSync(file, bytes, got, Math.min(length - got, 2 ** 30), from + got);
        if (more === 0)
          throw new Error(`safetensors: ${from + length} bytes are required, got ${size}: ${path} is cut short`);
        got += more;
      }
      return bytes;
    };
    const length = size < 8 ? Number.NaN : Number(new DataView(take(0, 8).buffer).getBigUint64(0, true));
    if (!(length <= longest))
      throw new Error(
        `safetensors: a file that begins with the length of its header is required, got ${path}; it is of another format or damaged`,
      );
    const { __metadata__: metadata = {}, ...entries } = headerOf(take(8, length), path);
    const tensors = Object.entries(entries).map(([name, entry]) => {
      const { dtype, shape, begin, end } = placed(name, entry, path);
      return [name, { shape, ...rawNumbers(take(8 + length + begin, end - begin), dtype, name) }] as const;
    });
    return { tensors: new Map(tensors), metadata };
  } finally {
    closeSync(file);
  }
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [begin: number, end: number];
}
type Header = { readonly __metadata__?: { readonly [name: string]: string } } & { readonly [name: string]: Entry };

function headerOf(bytes: Uint8Array, path: string): Header {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Header;
  } catch (error) {
    throw new Error(
      `safetensors: a header of JSON is required, got something else in ${path}; the file is of another format or damaged`,
      { cause: error },
    );
  }
}

/** Where a tensor's bytes lie; throws unless there are as many as its shape and type ask for. */
function placed(name: string, entry: Entry, path: string) {
  const { dtype, shape, data_offsets: offsets } = entry;
  const whole = (list: unknown): boolean => Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (typeof dtype !== "string" || !whole(shape) || !whole(offsets))
    throw new Error(
      `safetensors: an entry with dtype, shape and data_offsets is required for ${name}, got ${JSON.stringify(entry)} in ${path}; the file is damaged`,
    );
  if (!(dtype in widths))
    throw new Error(`safetensors: numbers of a known type are required, got ${dtype} for ${name} in ${path}`);
  const [begin, end] = offsets;
  const bytes = shape.reduce((n, side) => n * side, widths[dtype as RawType]);
  if (end - begin !== bytes)
    throw new Error(
      `safetensors: ${bytes} bytes are required for ${name} of shape [${shape}], got ${end - begin} in ${path}; the file is damaged`,
    );
  return { dtype: dtype as RawType, shape, begin, end };
}
