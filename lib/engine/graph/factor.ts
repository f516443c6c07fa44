/**
 * Gives a factor that all gradients share, as the rate of gradient descent, to the first of them.
 *
 * Gradients are linear in the gradient of the logits: where each is multiplied by one number at its end, that number can be
 * multiplied with those few once.
 */
import { Graph, type Node, sameShape, sizeOf, type Value } from "./graph.ts";
import { reach } from "./lower.ts";

/** Linear in their first input. */
const linear = new Set(
  "Reshape Transpose ReduceSum ReduceMean Neg Split Slice Gather Expand Squeeze Unsqueeze Identity Div".split(" "),
);
/** Linear in each of two inputs. */
const bilinear = new Set(["Mul", "MatMul", "FusedMatMul", "Gemm", "Conv", "ConvTranspose"]);
/** Linear in all inputs together. */
const additive = new Set(["Add", "Sub", "Concat", "Sum"]);

/** Whether the results of a node are linear in what `isScaled` holds; null when they are neither that nor free of it. */
function isLinear({ op, inputs }: Node, isScaled: (value: Value | null) => boolean): boolean | null {
  const count = inputs.filter(isScaled).length;
  if (count === 0) return false;
  if (linear.has(op)) return count === 1 && isScaled(inputs[0]!) ? true : null;
  if (bilinear.has(op)) return count === 1 && inputs.length === 2 ? true : null;
  return additive.has(op) && count === inputs.length ? true : null;
}

/** The other operand where a node multiplies by a number that is not known before. */
function scaledBy({ op, inputs, outputs }: Node, factor: Value): Value | null {
  if (op !== "Mul") return null;
  const [a, b] = inputs as [Value, Value];
  const other = b === factor ? a : a === factor ? b : null;
  return other && sameShape(other.shape, outputs[0]!.shape) ? other : null;
}

/** The number that most operations multiply by. */
function commonFactor(nodes: readonly Node[]): Value | null {
  const counts = new Map<Value, number>();
  for (const node of nodes) {
    if (node.op !== "Mul") continue;
    for (const factor of node.inputs as Value[]) {
      if (sizeOf(factor.shape) === 1 && factor.leaf?.kind !== "constant" && scaledBy(node, factor))
        counts.set(factor, (counts.get(factor) ?? 0) + 1);
    }
  }
  let most: Value | null = null;
  for (const [factor, count] of counts) if (count > (most ? counts.get(most)! : 1)) most = factor;
  return most;
}

/** Values that every one of the ends needs, those computed last first. */
function sharedBy(ends: ReadonlySet<Node>, nodes: readonly Node[]): Value[] {
  const needed = new Map<Node, bigint>();
  const all = (1n << BigInt(ends.size)) - 1n;
  const found: Value[] = [];
  let next = 0n;
  for (const node of [...nodes].reverse()) {
    const mask = (needed.get(node) ?? 0n) | (ends.has(node) ? 1n << next++ : 0n);
    if (mask === all && node.outputs.length === 1 && !ends.has(node)) found.push(node.outputs[0]!);
    if (mask !== 0n)
      for (const input of node.inputs) if (input?.node) needed.set(input.node, (needed.get(input.node) ?? 0n) | mask);
  }
  return found;
}

/** Whether all that depends on the seed is linear in it and ends in a product with the factor. */
function isCarried(seed: Value, factor: Value, nodes: readonly Node[], outputs: readonly Value[]): boolean {
  const scaled = new Set<Value | null>([seed]);
  for (const node of nodes) {
    if (node === seed.node || (scaledBy(node, factor) && !scaled.has(factor))) continue;
    const is = isLinear(node, (value) => scaled.has(value));
    if (is === null) return false;
    if (is) for (const output of node.outputs) scaled.add(output);
  }
  return !scaled.has(factor) && !outputs.some((output) => scaled.has(output));
}

/** The same outputs, with a factor that all gradients share multiplied where they begin. */
export function shareFactor(outputs: readonly Value[]): readonly Value[] {
  const factor = commonFactor(reach(outputs).nodes);
  if (!factor) return outputs;
  const { nodes } = reach([factor, ...outputs]);
  const ends = new Set(nodes.filter((node) => scaledBy(node, factor)));
  const seed = sharedBy(ends, nodes)
    .slice(0, 8)
    .find((value) => value.type === "float32" && isCarried(value, factor, nodes, outputs));
  if (!seed) return outputs;
  const g = new Graph();
  const to = new Map<Value, Value>();
  const at = <T extends Value | null>(value: T): T => ((value && to.get(value)) ?? value) as T;
  for (const node of nodes) {
    g.label = node.label;
    const other = scaledBy(node, factor);
    if (node === seed.node) to.set(seed, g.op("Mul", [seed, factor], seed.shape, seed.type));
    else if (other) to.set(node.outputs[0]!, at(other));
    else if (node.inputs.some((input) => input && to.has(input))) {
      const made = g.ops(node.op, node.inputs.map(at), node.outputs, node.attributes, node.domain);
      node.outputs.forEach((output, i) => {
        to.set(output, made[i]!);
      });
    }
  }
  return outputs.map(at);
}
