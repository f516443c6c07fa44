/** How much arithmetic compiled functions have done. */
import { type Node, sizeOf } from "../graph/graph.ts";
import { bodyOf } from "../graph/lower.ts";

let done = 0;

/** The multiplications of a matrix product or a convolution; 0 for every other operation. */
function products(node: Node): number {
  const { op, inputs, outputs, attributes } = node;
  const body = bodyOf(node);
  if (body) return body.length * productsOf(body.nodes);
  const out = sizeOf(outputs[0]!.shape);
  const [a, b] = [inputs[0]?.shape ?? [], inputs[1]?.shape ?? []];
  if (op === "MatMul" || op === "FusedMatMul" || op === "Gemm") return out * (a.at(attributes?.transA ? -2 : -1) ?? 1);
  if (op === "Conv") return out * sizeOf(b.slice(1));
  if (op === "ConvTranspose") return sizeOf(a) * sizeOf(b.slice(1));
  return 0;
}

const productsOf = (nodes: readonly Node[]): number => nodes.reduce((sum, node) => sum + products(node), 0);

/** The floating-point operations of one run of some nodes: two for every multiplication in a matrix product or a convolution. */
export function flopsOf(nodes: readonly Node[]): number {
  return 2 * productsOf(nodes);
}

/** Notes that so much was done. */
export function tally(flops: number): void {
  done += flops;
}

/**
 * The floating-point operations that compiled functions of this process have done so far: a multiplication and an addition for every
 * product in their matrix products and convolutions. Only differences of it mean something. It stays 0 on TensorFlow.js' own backends.
 */
export function flopsDone(): number {
  return done;
}
