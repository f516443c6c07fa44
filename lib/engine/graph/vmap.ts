/** Many calls of one graph as one: values that differ from call to call get a leading axis over the calls. */
import { reshapeValue } from "./arr.ts";
import { Graph, type Node, type Value } from "./graph.ts";
import { reach } from "./lower.ts";
import { type Case, everywhere, type Lane, ruleOf, valueIn } from "./vmap-rules.ts";

/** A graph over many calls. */
export interface Vmapped {
  /** The results, each `[calls, …]`. */
  readonly outputs: Value[];
  /** What is fed for each leaf of the graph: `[calls, …]` where it differs from call to call. */
  readonly leaves: ReadonlyMap<Value, Value>;
}

/**
 * Rewrites a graph for `count` calls at once, of which the leaves `differing` have their own numbers. Each operation has a rule for the axis
 * over calls (`vmap-rules.ts`), as in JAX's vmap; one without a rule is done call by call, within the same program.
 */
export function vmap(outputs: readonly Value[], differing: ReadonlySet<Value>, count: number): Vmapped {
  const { nodes, leaves } = reach(outputs);
  const g = new Graph();
  const lanes = new Map<Value, Lane>();
  for (const leaf of leaves) {
    const differs = differing.has(leaf);
    const source = (leaf.leaf as { readonly source?: unknown }).source;
    const value = differs ? g.input([count, ...leaf.shape], leaf.type, source) : leaf;
    lanes.set(leaf, { value, shape: leaf.shape, differs });
  }
  const at = (value: Value): Lane => lanes.get(value)!;
  for (const node of nodes) {
    g.label = node.label;
    const inputs = node.inputs.map((input) => input && at(input));
    const differs = inputs.some((input) => input?.differs);
    const made = differs ? forAll({ g, count, node, inputs }) : recorded(g, node, inputs);
    node.outputs.forEach(({ shape }, i) => {
      lanes.set(node.outputs[i]!, { value: made[i]!, shape, differs });
    });
  }
  return {
    outputs: outputs.map((value) => everywhere(g, at(value), count)),
    leaves: new Map(leaves.map((leaf) => [leaf, at(leaf).value])),
  };
}

const forAll = (of: Case): Value[] => ruleOf(of.node.op)?.(of) ?? each(of);

function recorded(g: Graph, node: Node, inputs: readonly (Lane | null)[]): Value[] {
  const values = inputs.map(valueIn);
  return g.ops(node.op, values, node.outputs, node.attributes, node.domain);
}

/** An operation without a rule: split into calls, done for each, and joined again. */
function each({ g, count, node, inputs }: Case): Value[] {
  const parts = inputs.map((input) => {
    if (input === null || !input.differs) return new Array<Value | null>(count).fill(valueIn(input));
    const one = { shape: [1, ...input.shape], type: input.value.type };
    const ones = g.int64(new Array(count).fill(1));
    const split =
      count === 1 ? [input.value] : g.ops("Split", [input.value, ones], new Array(count).fill(one), { axis: 0 });
    return split.map((part) => reshapeValue(g, part, input.shape));
  });
  const calls = Array.from({ length: count }, (_, call) =>
    g.ops(
      node.op,
      parts.map((part) => part[call]!),
      node.outputs,
      node.attributes,
      node.domain,
    ),
  );
  return node.outputs.map(({ shape, type }, i) => {
    const results = calls.map((made) => reshapeValue(g, made[i]!, [1, ...shape]));
    return count === 1 ? results[0]! : g.op("Concat", results, [count, ...shape], type, { axis: 0 });
  });
}
