/** Stored numbers of a graph in fewer bytes: those that are not 0 with their places, or whole numbers of few bits with their scales. */
import type { GraphSpec, HostArray, InitializerSpec, NodeSpec } from "./writer.ts";

/** A tensor of 32-bit floats that is stored in another form. */
export type Packed =
  /** Only what is not 0. */
  | { readonly as: "sparse" }
  /**
   * As whole numbers `[rows, columns]` from 0 to 2^bits − 1, which stand for `(code − zero) · scale`, divided by a number for each row where `by` is
   * there. Scale and zero are `[rows / group, columns]`.
   */
  | {
      readonly as: "codes";
      readonly bits: number;
      readonly columns: number;
      readonly group: number;
      readonly codes: Uint8Array;
      readonly scale: Float32Array;
      readonly zero: Uint8Array;
      readonly by?: Float32Array;
    };

/** Which stored tensors have another form, by their numbers. */
export type Packing = (numbers: Float32Array, shape: readonly number[]) => Packed | undefined;

/** The graph with stored tensors in other forms; it computes the same. */
export function packedGraph(graph: GraphSpec, packing: Packing): GraphSpec {
  const [nodes, initializers]: [NodeSpec[], InitializerSpec[]] = [[], []];
  const sparse: InitializerSpec[] = [];
  let coded = false;
  for (const own of graph.initializers) {
    const packed = own.type === "float32" ? packing(own.data as Float32Array, own.shape) : undefined;
    if (packed === undefined) initializers.push(own);
    else if (packed.as === "sparse") sparse.push(own);
    else {
      coded = true;
      dequantised(own, packed, nodes, initializers);
    }
  }
  return { ...graph, nodes: [...nodes, ...graph.nodes], initializers, sparse, ...(coded && { opset: 21 }) };
}

/** The operations that make a stored tensor of its codes. */
function dequantised(
  own: InitializerSpec,
  packed: Extract<Packed, { readonly as: "codes" }>,
  nodes: NodeSpec[],
  initializers: InitializerSpec[],
): void {
  const { bits, columns, group, codes, scale, zero, by } = packed;
  const rows = codes.length / columns;
  const type = bits <= 4 ? ("uint4" as const) : ("uint8" as const);
  const data = (values: Uint8Array): Uint8Array => (type === "uint4" ? inPairs(values) : values);
  let last = 0;
  const store = (what: InitializerSpec["type"], shape: readonly number[], numbers: HostArray): string => {
    const name = `${own.name}_${last++}`;
    initializers.push({ name, type: what, shape, data: numbers });
    return name;
  };
  const steps: [op: string, more: string[], attributes?: NodeSpec["attributes"]][] = [];
  const grid = group < rows ? [scale.length / columns, columns] : [columns];
  const stored = store(type, [rows, columns], data(codes));
  steps.push([
    "DequantizeLinear",
    [store("float32", grid, scale), store(type, grid, data(zero))],
    group < rows ? { axis: 0, block_size: group } : { axis: 1 },
  ]);
  if (by !== undefined) steps.push(["Div", [store("float32", [rows, 1], by)]]);
  if (own.shape.length !== 2)
    steps.push(["Reshape", [store("int64", [own.shape.length], BigInt64Array.from(own.shape, BigInt))]]);
  steps.reduce((from, [op, more, attributes], i) => {
    const to = i === steps.length - 1 ? own.name : `${own.name}_step${i}`;
    nodes.push({ op, name: `${own.name}_${op}`, inputs: [from, ...more], outputs: [to], attributes });
    return to;
  }, stored);
}

/** Two numbers of four bits in each byte, the first in its lower half. */
function inPairs(values: Uint8Array): Uint8Array {
  return Uint8Array.from(
    { length: Math.ceil(values.length / 2) },
    (_, i) => values[2 * i]! | ((values[2 * i + 1] ?? 0) << 4),
  );
}
