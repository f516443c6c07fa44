/** Reads the idx files of MNIST and its relatives, plain or gzipped. */
import { gunzipSync } from "node:zlib";

/** An array of bytes with its sizes. */
export interface Idx {
  readonly sizes: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * The array in an idx file: two zero bytes, the type (8, unsigned bytes), the number of dimensions, each size as a 32-bit big-endian
 * number, then the values (yann.lecun.com/exdb/mnist, "the IDX file format").
 *
 * @throws Error when the file is damaged, cut short, or not an idx file of bytes; it names the file and what is wrong.
 */
export function readIdx(file: Uint8Array, name: string): Idx {
  const data = file[0] === 0x1f && file[1] === 0x8b ? unzip(file, name) : file;
  if (data.length < 4 || data[0] !== 0 || data[1] !== 0)
    throw new Error(
      `${name}: an idx file (which begins with two zero bytes) is required, got ${head(data)}; fetch it again`,
    );
  if (data[2] !== 8)
    throw new Error(`${name}: an idx file of unsigned bytes (type 8) is required, got type ${data[2]}`);
  const rank = data[3]!;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const start = 4 + 4 * rank;
  if (data.length < start) throw new Error(`${name}: the file ends inside its header; fetch it again`);
  const sizes = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = sizes.reduce((a, b) => a * b, 1);
  if (data.length - start !== count)
    throw new Error(
      `${name}: the header promises ${sizes.join(" × ")} = ${count} values, got ${data.length - start}; fetch it again`,
    );
  return { sizes, bytes: data.subarray(start) };
}

function unzip(file: Uint8Array, name: string): Uint8Array {
  try {
    return gunzipSync(file);
  } catch (cause) {
    throw new Error(
      `${name}: a whole gzip file is required, got a damaged one (${(cause as Error).message}); fetch it again`,
      { cause },
    );
  }
}

function head(data: Uint8Array): string {
  if (data.length === 0) return "an empty file";
  return `bytes ${[...data.subarray(0, 4)].map((b) => b.toString(16).padStart(2, "0")).join(" ")}`;
}
