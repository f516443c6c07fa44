/** How kernels are written: a function from recorded inputs to recorded results, one per TensorFlow.js kernel. */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { Arr } from "../graph/arr.ts";
import type { Graph } from "../graph/graph.ts";

/** The inputs of all kernels by name. A kernel reads those that it has. */
export interface Inputs {
  readonly [name: string | number]: Arr | undefined;
  readonly x: Arr;
  readonly a: Arr;
  readonly b: Arr;
  readonly dy: Arr;
  readonly y: Arr;
  readonly filter: Arr;
  readonly input: Arr;
  readonly output: Arr;
  readonly condition: Arr;
  readonly t: Arr;
  readonly e: Arr;
  readonly indices: Arr;
  readonly updates: Arr;
  readonly params: Arr;
  readonly tensor: Arr;
  readonly logits: Arr;
  readonly value: Arr;
  readonly segmentIds: Arr;
  readonly images: Arr;
  readonly mean: Arr;
  readonly variance: Arr;
  readonly alpha: Arr;
}

/** Records a kernel; null when this call is better computed by the fallback. */
export type Lowering<A> = (g: Graph, inputs: Inputs, attributes: A) => Arr | Arr[] | null;

export const lowerings = new Map<string, Lowering<never>>();

export function define<A = object>(names: string, lowering: Lowering<A>): void {
  for (const name of names.split(" ")) lowerings.set(name, lowering as Lowering<never>);
}

export type KernelCall = { inputs: NamedTensorInfoMap; attrs?: NamedAttrMap };
export type KernelResult = TensorInfo | TensorInfo[];
