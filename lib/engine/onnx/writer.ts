/**
 * Writes ONNX models as protocol-buffer bytes, with no protobuf library.
 *
 * Field numbers are those of onnx.proto (ONNX IR version 9).
 */

import type { Node, Value } from "../graph/graph.ts";

/** Element types that appear in our graphs, named as ONNX Runtime's JavaScript API names them. */
export type ElementType = "float32" | "int32" | "int64" | "bool" | "uint8" | "float64";

/** Types that only stored tensors have. */
export type StoredType = ElementType | "int16" | "uint4";

/** Storage of a tensor on the host. */
export type HostArray = Float32Array | Int32Array | Uint8Array | BigInt64Array | Float64Array | Int16Array;

/** An attribute: integers by default; `{ float }` marks a real number, `{ graph }` a subgraph. */
export type Attribute =
  | number
  | readonly number[]
  | string
  | { readonly float: number }
  | { readonly graph: GraphSpec }
  | BodyAttribute;
export type Attributes = { readonly [name: string]: Attribute };

/** A subgraph that uses values of the graph around it: the last inputs of its node, under the names in `captures`. */
export interface BodyAttribute {
  readonly graph: GraphSpec;
  readonly captures: readonly string[];
  /** What one pass computes, and how many passes there are. */
  readonly nodes: readonly Node[];
  readonly length: number;
  /** The values behind the graph's inputs, behind what it captures, and behind its outputs. */
  readonly values: {
    readonly parameters: readonly Value[];
    readonly captured: readonly Value[];
    readonly outputs: readonly Value[];
  };
  /** What it computes, in the form in which equal graphs are found again. */
  toJSON(): string;
}

export interface NodeSpec {
  readonly op: string;
  readonly domain?: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Attributes | undefined;
}
/** A named value with its type; a string dimension is symbolic. */
export interface ValueSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}
export interface InitializerSpec extends Omit<ValueSpec, "type" | "shape"> {
  readonly type: StoredType;
  readonly shape: readonly number[];
  readonly data: HostArray;
}
export interface GraphSpec {
  readonly name: string;
  readonly nodes: readonly NodeSpec[];
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  readonly initializers: readonly InitializerSpec[];
  /** Stored tensors of which only what is not 0 is written, with its places. */
  readonly sparse?: readonly InitializerSpec[];
  /** Default 20. */
  readonly opset?: number;
}

export const opset = 20;

const elementCode: Record<StoredType, number> = {
  float32: 1,
  uint8: 2,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
  uint4: 21,
};
const utf8 = new TextEncoder();
const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

class ProtoWriter {
  #bytes = new Uint8Array(1 << 14);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + count));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
  #varint(value: number): void {
    this.#reserve(10);
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      while (rest > 127n) {
        this.#bytes[this.#at++] = Number(rest & 127n) | 128;
        rest >>= 7n;
      }
      this.#bytes[this.#at++] = Number(rest);
      return;
    }
    let rest = value;
    while (rest > 127) {
      this.#bytes[this.#at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }
  int(field: number, value: number): void {
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
  }
  float(field: number, value: number): void {
    this.#varint(field * 8 + FIXED32);
    this.#reserve(4);
    this.#view.setFloat32(this.#at, value, true);
    this.#at += 4;
  }
  bytes(field: number, value: Uint8Array): void {
    this.#varint(field * 8 + BYTES);
    this.#content(value);
  }
  #content(value: Uint8Array): void {
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }
  string(field: number, value: string): void {
    const { length } = value;
    this.#varint(field * 8 + BYTES);
    this.#reserve(length + 10);
    const start = this.#at;
    this.#varint(length);
    // Names are short and ASCII: written letter by letter, several times faster than through the encoder.
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 127) {
        this.#at = start;
        this.#content(utf8.encode(value));
        return;
      }
      this.#bytes[this.#at++] = code;
    }
  }
  /** Writes a nested message; its length is a varint padded to five bytes, patched when the message is complete. */
  message(field: number, write: () => void): void {
    this.#varint(field * 8 + BYTES);
    this.#reserve(5);
    const start = this.#at;
    this.#at += 5;
    write();
    let length = this.#at - start - 5;
    for (let i = 0; i < 5; i++) {
      this.#bytes[start + i] = (length & 127) | (i < 4 ? 128 : 0);
      length >>>= 7;
    }
  }
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }
}

function writeValue(out: ProtoWriter, field: number, value: ValueSpec): void {
  out.message(field, () => {
    out.string(1, value.name);
    out.message(2, () =>
      out.message(1, () => {
        out.int(1, elementCode[value.type]);
        out.message(2, () => {
          for (const dim of value.shape) {
            out.message(1, () => (typeof dim === "number" ? out.int(1, dim) : out.string(2, dim)));
          }
        });
      }),
    );
  });
}

function writeAttribute(out: ProtoWriter, name: string, value: Attribute): void {
  out.message(5, () => {
    out.string(1, name);
    if (typeof value === "number") {
      out.int(3, value);
      out.int(20, 2);
    } else if (typeof value === "string") {
      out.string(4, value);
      out.int(20, 3);
    } else if ("float" in value) {
      out.float(2, value.float);
      out.int(20, 1);
    } else if ("graph" in value) {
      out.message(6, () => writeGraph(out, value.graph));
      out.int(20, 5);
    } else {
      for (const item of value) out.int(8, item);
      out.int(20, 7);
    }
  });
}

function writeTensor(out: ProtoWriter, { name, type, shape, data }: InitializerSpec): void {
  for (const dim of shape) out.int(1, dim);
  out.int(2, elementCode[type]);
  out.string(8, name);
  out.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeGraph(out: ProtoWriter, graph: GraphSpec): void {
  for (const node of graph.nodes) {
    out.message(1, () => {
      for (const name of node.inputs) out.string(1, name);
      for (const name of node.outputs) out.string(2, name);
      out.string(3, node.name);
      out.string(4, node.op);
      for (const [name, value] of Object.entries(node.attributes ?? {})) writeAttribute(out, name, value);
      if (node.domain) out.string(7, node.domain);
    });
  }
  out.string(2, graph.name);
  for (const stored of graph.initializers) out.message(5, () => writeTensor(out, stored));
  for (const { name, type, shape, data } of graph.sparse ?? []) {
    const at = [...data.keys()].filter((i) => data[i] !== 0);
    const places = data.length <= 0x7fff ? Int16Array.from(at) : Int32Array.from(at);
    const values = Float32Array.from(at, (i) => Number(data[i]));
    out.message(15, () => {
      out.message(1, () => writeTensor(out, { name, type, shape: [at.length], data: values }));
      out.message(2, () =>
        writeTensor(out, {
          name: `${name}_places`,
          type: places instanceof Int16Array ? "int16" : "int32",
          shape: [at.length],
          data: places,
        }),
      );
      for (const dim of shape) out.int(3, dim);
    });
  }
  for (const value of graph.inputs) writeValue(out, 11, value);
  for (const value of graph.outputs) writeValue(out, 12, value);
}

/** Serialises a graph as an ONNX model file. */
export function onnxBytes(graph: GraphSpec): Uint8Array {
  const out = new ProtoWriter();
  // whole numbers of four bits came with version 10
  out.int(1, graph.opset === undefined ? 9 : 10);
  out.string(2, "thalweg");
  out.message(7, () => writeGraph(out, graph));
  for (const [domain, version] of [
    ["", graph.opset ?? opset],
    ["com.microsoft", 1],
  ] as const) {
    out.message(8, () => {
      out.string(1, domain);
      out.int(2, version);
    });
  }
  return out.finish();
}
