/**
 * The intermediate representation: ONNX operations over values in static single assignment.
 *
 * A `Graph` holds what one trace, or one stretch of lazy execution, has recorded. Identical operations are recorded once.
 */
import type { Attributes, ElementType, HostArray } from "../onnx/writer.ts";

/** Where a value comes from when no operation computes it. */
export type Leaf =
  | { readonly kind: "constant"; readonly data: HostArray }
  /** Fed at every run; `source` is what the owner of the graph knows it by. */
  | { readonly kind: "input"; readonly source: unknown };

export interface Value {
  readonly id: number;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly node: Node | null;
  readonly index: number;
  readonly leaf: Leaf | null;
}

export interface Node {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Attributes | undefined;
  readonly outputs: Value[];
  readonly label: string;
}

let nextId = 0;

export const sizeOf = (shape: readonly number[]): number => {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
};

export const sameShape = (a: readonly number[], b: readonly number[]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

export const arrayFor = (type: ElementType, size: number): HostArray =>
  type === "float32"
    ? new Float32Array(size)
    : type === "int32"
      ? new Int32Array(size)
      : type === "int64"
        ? new BigInt64Array(size)
        : type === "float64"
          ? new Float64Array(size)
          : new Uint8Array(size);

/** What one kernel wants to record besides its inputs. */
export interface Operation {
  readonly domain?: string;
  readonly attributes?: Attributes;
}

/** A recording of operations; see the file comment. */
export class Graph {
  readonly #known = new Map<string, Node>();
  readonly #constants = new Map<string, Value>();
  /** The name of the tfjs kernel being recorded; it names ONNX nodes, so that runtime errors can be understood. */
  label = "";
  /** Number of nodes recorded so far. */
  count = 0;

  /** Records an operation with one result. */
  op(
    name: string,
    inputs: readonly (Value | null)[],
    shape: readonly number[],
    type: ElementType,
    attributes?: Attributes,
    domain = "",
  ): Value {
    return this.ops(name, inputs, [{ shape, type }], attributes, domain)[0]!;
  }

  /** Records an operation with several results. */
  ops(
    name: string,
    inputs: readonly (Value | null)[],
    results: readonly { shape: readonly number[]; type: ElementType }[],
    attributes?: Attributes,
    domain = "",
  ): Value[] {
    let key = results.length === 1 ? name : `${name}:${results.length}`;
    for (const input of inputs) key += input ? `,${input.id}` : ",";
    if (attributes) key += JSON.stringify(attributes);
    if (name === "Cast") key += results[0]!.type;
    const known = this.#known.get(key);
    if (known) return known.outputs;
    const node: Node = { op: name, domain, inputs, attributes, outputs: [], label: this.label };
    results.forEach(({ shape, type }, index) => {
      node.outputs.push({ id: nextId++, type, shape, node, index, leaf: null });
    });
    this.#known.set(key, node);
    this.count++;
    return node.outputs;
  }

  /** A value fed at every run. */
  input(shape: readonly number[], type: ElementType, source: unknown): Value {
    return { id: nextId++, type, shape, node: null, index: 0, leaf: { kind: "input", source } };
  }

  /** A value stored in the model. Small constants are shared. */
  constant(data: HostArray, shape: readonly number[], type: ElementType): Value {
    const make = (): Value => ({ id: nextId++, type, shape, node: null, index: 0, leaf: { kind: "constant", data } });
    if (data.length > 32) return make();
    // Object.is semantics: -0 and 0 are different constants.
    const key = `${type}[${shape}]${Array.from(data as Float32Array, (x) => (Object.is(x, -0) ? "-0" : x))}`;
    let value = this.#constants.get(key);
    if (!value) this.#constants.set(key, (value = make()));
    return value;
  }

  /** Places to gather from, shared by all who gather from the same. */
  places(at: readonly number[]): Value {
    const key = `places ${at}`;
    let value = this.#constants.get(key);
    if (!value) this.#constants.set(key, (value = this.constant(Int32Array.from(at), [at.length], "int32")));
    return value;
  }

  scalar(x: number, type: ElementType = "float32"): Value {
    const data = arrayFor(type, 1);
    data[0] = (type === "int64" ? BigInt(x) : x) as never;
    return this.constant(data, [], type);
  }

  int64(values: readonly number[]): Value {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length], "int64");
  }
}

/** The single number a constant holds, or null when the value is not a constant of one element. */
export function constantNumber(value: Value): number | null {
  return value.leaf?.kind === "constant" && value.leaf.data.length === 1 ? Number(value.leaf.data[0]) : null;
}
