/** The state of a run as bytes: JSON for the structure, raw numbers for tensors and typed arrays. */
import * as tf from "@tensorflow/tfjs-core";
import { Rng, type RngState, restoreRandom } from "./random.ts";

const magic = "THLW1\n";

const arrays = {
  Uint8Array,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
} as const;
type ArrayName = keyof typeof arrays;
type Numbers = InstanceType<(typeof arrays)[ArrayName]>;

interface Blob {
  readonly $: "tensor" | "array";
  readonly type: ArrayName;
  readonly length: number;
  readonly at: number;
  readonly shape?: number[];
  readonly dtype?: string;
}

/**
 * Turns a value made of plain objects, arrays, JSON values, typed arrays, tensors and generators into bytes.
 *
 * Numbers that JSON cannot hold (NaN, ±∞, −0), `undefined` in objects, `Map` and `Set` survive too.
 */
export function encode(value: unknown): Uint8Array {
  const chunks: Uint8Array[] = [];
  let at = 0;
  const put = (data: Numbers): { at: number; length: number; type: ArrayName } => {
    const type = data.constructor.name as ArrayName;
    if (!(type in arrays))
      throw new TypeError(`encode: a typed array of numbers is required, got ${data.constructor.name}`);
    const start = at;
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    at += data.byteLength;
    const pad = (8 - (at % 8)) % 8;
    if (pad > 0) chunks.push(new Uint8Array(pad));
    at += pad;
    return { at: start, length: data.length, type };
  };
  const visit = (node: unknown): unknown => {
    if (node === undefined) return { $: "undefined" };
    if (typeof node === "number" && (!Number.isFinite(node) || Object.is(node, -0)))
      return { $: "number", value: Object.is(node, -0) ? "-0" : String(node) };
    if (node === null || typeof node !== "object") {
      if (typeof node === "function" || typeof node === "symbol" || typeof node === "bigint")
        throw new TypeError(`encode: plain data is required, got a ${typeof node}`);
      return node;
    }
    if (node instanceof tf.Tensor)
      return { $: "tensor", shape: node.shape, dtype: node.dtype, ...put(node.dataSync() as Numbers) };
    if (ArrayBuffer.isView(node)) return { $: "array", ...put(node as Numbers) };
    if (node instanceof Rng) return { $: "rng", state: node.toJSON() };
    if (node instanceof Map) return { $: "map", entries: [...node].map(([k, v]) => [visit(k), visit(v)]) };
    if (node instanceof Set) return { $: "set", values: [...node].map(visit) };
    if (Array.isArray(node)) return node.map(visit);
    const proto = Object.getPrototypeOf(node);
    if (proto !== Object.prototype && proto !== null)
      throw new TypeError(`encode: plain data is required, got a ${node.constructor?.name}`);
    return Object.fromEntries(Object.entries(node).map(([k, v]) => [k.startsWith("$") ? `$${k}` : k, visit(v)]));
  };
  const header = new TextEncoder().encode(JSON.stringify(visit(value)));
  const head = new TextEncoder().encode(`${magic}${header.length}\n`);
  const start = head.length + header.length;
  const pad = (8 - (start % 8)) % 8;
  const out = new Uint8Array(start + pad + at);
  out.set(head, 0);
  out.set(header, head.length);
  let offset = start + pad;
  for (const chunk of chunks) {
    out.set(chunk, offset);
    offset += chunk.length;
  }
  return out;
}

/** Turns bytes made by `encode` back into the value; tensors are new. Throws on bytes that are cut short or of another kind. */
export function decode(bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes.subarray(0, 32));
  const length = Number(/^THLW1\n(\d+)\n/.exec(text)?.[1] ?? Number.NaN);
  if (Number.isNaN(length))
    throw new Error(
      "decode: bytes written by encode are required, got something else; the file is not a saved state or is damaged",
    );
  const headLength = magic.length + String(length).length + 1;
  const start = headLength + length;
  const base = start + ((8 - (start % 8)) % 8);
  if (bytes.length < base)
    throw new Error(`decode: ${base} bytes or more are required, got ${bytes.length}; the file is cut short`);
  const tree: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(headLength, start)));
  const take = (blob: Blob): Numbers => {
    const Type = arrays[blob.type];
    const from = base + blob.at;
    const size = blob.length * Type.BYTES_PER_ELEMENT;
    if (from + size > bytes.length)
      throw new Error(`decode: ${from + size} bytes are required, got ${bytes.length}; the file is cut short`);
    return new Type(Uint8Array.prototype.slice.call(bytes, from, from + size).buffer); // a Buffer's own slice copies nothing
  };
  const visit = (node: unknown): unknown => {
    if (node === null || typeof node !== "object") return node;
    if (Array.isArray(node)) return node.map(visit);
    const tagged = node as { $?: string } & Record<string, unknown>;
    switch (tagged.$) {
      case "undefined":
        return undefined;
      case "number":
        return Number(tagged.value);
      case "tensor": {
        const blob = node as unknown as Blob;
        return tf.tensor(take(blob), blob.shape, blob.dtype as tf.DataType);
      }
      case "array":
        return take(node as unknown as Blob);
      case "rng":
        return restoreRandom(tagged.state as RngState);
      case "map":
        return new Map((tagged.entries as unknown[][]).map(([k, v]) => [visit(k), visit(v)]));
      case "set":
        return new Set((tagged.values as unknown[]).map(visit));
    }
    return Object.fromEntries(Object.entries(node).map(([k, v]) => [k.startsWith("$$") ? k.slice(1) : k, visit(v)]));
  };
  return visit(tree);
}
