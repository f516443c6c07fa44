/** Numbers of other programs' files, of every length. */
import type { HostArray } from "./host.ts";

/** Bytes of a number of each type. */
export const widths = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

/** The type of a number, as the safetensors format names it. */
export type RawType = keyof typeof widths;

/** Raw little-endian bytes as numbers that tensors can hold; throws where 32 bits cannot hold one. The bytes may be kept. */
export function rawNumbers(bytes: Uint8Array, dtype: RawType, name: string): Pick<HostArray, "data" | "dtype"> {
  const view = new DataView(bytes.buffer);
  const count = bytes.length / widths[dtype];
  const each = <A extends Float32Array | Int32Array>(out: A, read: (at: number) => number): A => {
    for (let i = 0; i < count; i++) out[i] = read(i * widths[dtype]);
    return out;
  };
  const floats = (read: (at: number) => number) => ({
    data: each(new Float32Array(count), read),
    dtype: "float32" as const,
  });
  const whole = (read: (at: number) => number) => ({
    data: each(new Int32Array(count), (at) => {
      const value = read(at);
      if (value === (value | 0)) return value;
      throw new Error(`weights: whole numbers of 32 bits are required, got ${value} in ${name}`);
    }),
    dtype: "int32" as const,
  });
  switch (dtype) {
    case "F32":
      return { data: new Float32Array(bytes.buffer), dtype: "float32" };
    case "I32":
      return { data: new Int32Array(bytes.buffer), dtype: "int32" };
    case "BOOL":
      return { data: bytes, dtype: "bool" };
    case "F64":
      return floats((at) => {
        const value = view.getFloat64(at, true);
        if (Number.isFinite(value) && !Number.isFinite(Math.fround(value)))
          throw new Error(`weights: numbers that 32 bits can hold are required, got ${value} in ${name}`);
        return value;
      });
    case "BF16": {
      // Bits are moved, not computed: arithmetic would take the smallest numbers for zero once the engine has run in this thread.
      const words = each(new Int32Array(count), (at) => view.getUint16(at, true) << 16);
      return { data: new Float32Array(words.buffer), dtype: "float32" };
    }
    case "F16":
      return floats((at) => half(view.getUint16(at, true)));
    case "I64":
      return whole((at) => Number(view.getBigInt64(at, true)));
    case "U64":
      return whole((at) => Number(view.getBigUint64(at, true)));
    case "U32":
      return whole((at) => view.getUint32(at, true));
    case "I16":
      return whole((at) => view.getInt16(at, true));
    case "U16":
      return whole((at) => view.getUint16(at, true));
    case "I8":
      return whole((at) => view.getInt8(at));
    default:
      return whole((at) => view.getUint8(at));
  }
}

/** The number that the 16 bits of a half-length float are. */
function half(value: number): number {
  const [sign, exponent, fraction] = [value >> 15 === 0 ? 1 : -1, (value >> 10) & 31, value & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
