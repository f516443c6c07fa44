/** The tensors that an ONNX file holds. */
import type { HostArray } from "./host.ts";
import { type RawType, rawNumbers, widths } from "./raw-numbers.ts";

/** A field of a protocol buffer: its number, and a whole number or bytes. */
type Field = readonly [field: number, value: number | Uint8Array];

/** The types of onnx.proto's TensorProto by number. */
const types: Readonly<Record<number, RawType>> = {
  1: "F32",
  2: "U8",
  3: "I8",
  4: "U16",
  5: "I16",
  6: "I32",
  7: "I64",
  9: "BOOL",
  10: "F16",
  11: "F64",
  12: "U32",
  13: "U64",
  16: "BF16",
};

/**
 * The initializers of an ONNX model by name: the weights, where a program wrote them as such.
 *
 * Field numbers are those of onnx.proto. Throws where the bytes are no such model, or its numbers lie in other files.
 */
export function onnxTensors(bytes: Uint8Array, path: string): ReadonlyMap<string, HostArray> {
  const graph = fields(bytes, path).find(([field, value]) => field === 7 && typeof value !== "number")?.[1];
  if (graph === undefined)
    throw new Error(`onnx: a file with a graph is required, got ${path}; it is of another format or damaged`);
  const found = fields(graph as Uint8Array, path).flatMap(([field, value]) =>
    field === 5 && typeof value !== "number" ? [tensorOf(fields(value, path), path)] : [],
  );
  return new Map(found);
}

function tensorOf(all: readonly Field[], path: string): readonly [string, HostArray] {
  const of = (field: number) => all.flatMap(([number, value]) => (number === field ? [value] : []));
  const packed = (field: number): number[] =>
    of(field).flatMap((value) => (typeof value === "number" ? [value] : varints(value)));
  const name = new TextDecoder().decode((of(8)[0] as Uint8Array | undefined) ?? new Uint8Array(0));
  const type = types[(of(2)[0] as number | undefined) ?? 0];
  if (type === undefined)
    throw new Error(`onnx: numbers of a known type are required, got type ${of(2)[0]} for ${name} in ${path}`);
  if (of(14)[0] === 1)
    throw new Error(
      `onnx: numbers within the file are required, got ${name} of ${path}, whose numbers are in another; save the model as one file`,
    );
  const shape = packed(1);
  const count = shape.reduce((n, side) => n * side, 1);
  const raw = of(9)[0] as Uint8Array | undefined;
  const array = raw === undefined ? listed(type, of, packed) : rawNumbers(new Uint8Array(raw), type, name);
  if (array.data.length !== count || (raw !== undefined && raw.length !== count * widths[type]))
    throw new Error(
      `onnx: ${count} numbers are required for ${name} of shape [${shape}], got ${array.data.length} in ${path}`,
    );
  return [name, { shape, ...array }];
}

/** Numbers that are fields of their own: floats, whole numbers, doubles. */
function listed(
  type: RawType,
  of: (field: number) => readonly (number | Uint8Array)[],
  packed: (field: number) => number[],
): Pick<HostArray, "data" | "dtype"> {
  const joined = (field: number): Uint8Array =>
    Uint8Array.from(of(field).flatMap((value) => (typeof value === "number" ? [] : [...value])));
  if (type === "F32") return rawNumbers(joined(4), "F32", "");
  if (type === "F64") return rawNumbers(joined(10), "F64", "");
  const whole = packed(type === "I64" ? 7 : type === "U32" || type === "U64" ? 11 : 5);
  if (type === "F16" || type === "BF16") return rawNumbers(new Uint8Array(Uint16Array.from(whole).buffer), type, "");
  return type === "BOOL"
    ? { data: Uint8Array.from(whole), dtype: "bool" }
    : { data: Int32Array.from(whole), dtype: "int32" };
}

/** The fields of a message. Numbers of 4 and 8 bytes come as bytes. */
function fields(bytes: Uint8Array, path: string): Field[] {
  const found: Field[] = [];
  const end = (): never => {
    throw new Error(`onnx: a whole file is required, got ${path}, which is cut short, damaged, or of another format`);
  };
  for (let at = 0; at < bytes.length; ) {
    const [tag, from] = varint(bytes, at) ?? end();
    const [field, kind] = [Math.floor(tag / 8), tag % 8];
    if (kind === 0) {
      const [value, next] = varint(bytes, from) ?? end();
      found.push([field, value]);
      at = next;
      continue;
    }
    const [length, start] =
      kind === 2 ? (varint(bytes, from) ?? end()) : kind === 5 ? [4, from] : kind === 1 ? [8, from] : end();
    if (start + length > bytes.length) end();
    found.push([field, bytes.subarray(start, start + length)]);
    at = start + length;
  }
  return found;
}

/** A whole number of up to ten bytes of seven bits, and where the next thing is; negative ones are of 64 bits. */
function varint(bytes: Uint8Array, at: number): readonly [value: number, next: number] | undefined {
  let value = 0n;
  for (let i = 0; i < 10 && at + i < bytes.length; i++) {
    value |= BigInt(bytes[at + i]! & 127) << BigInt(7 * i);
    if (bytes[at + i]! < 128) return [Number(BigInt.asIntN(64, value)), at + i + 1];
  }
  return undefined;
}

function varints(bytes: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [value, next] = varint(bytes, at) ?? [0, bytes.length];
    found.push(value);
    at = next;
  }
  return found;
}
