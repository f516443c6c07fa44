/** Turns recorded values into the specification of an ONNX graph: dead code goes, nodes come out in order of need. */
import type { BodyAttribute, GraphSpec, InitializerSpec, NodeSpec, ValueSpec } from "../onnx/writer.ts";
import type { Node, Value } from "./graph.ts";

export const nameOf = (value: Value): string => `v${value.id}`;

/** All nodes that the values need, each after the nodes it needs itself; and all leaves, in order of first use. */
export function reach(roots: readonly Value[], stop?: ReadonlySet<Value>): { nodes: Node[]; leaves: Value[] } {
  const nodes: Node[] = [];
  const leaves: Value[] = [];
  const seen = new Set<Node | Value>();
  const visit = (root: Value): void => {
    const stack: { value: Value; next: number }[] = [{ value: root, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const { node } = top.value;
      if (node === null || stop?.has(top.value)) {
        if (!seen.has(top.value)) {
          seen.add(top.value);
          leaves.push(top.value);
        }
        stack.pop();
      } else if (top.next === 0 && seen.has(node)) {
        stack.pop();
      } else if (top.next < node.inputs.length) {
        const input = node.inputs[top.next++];
        if (top.next === 1) seen.add(node);
        if (input && !(input.node ? seen.has(input.node) && !stop?.has(input) : seen.has(input)))
          stack.push({ value: input, next: 0 });
      } else {
        seen.add(node);
        nodes.push(node);
        stack.pop();
      }
    }
  };
  for (const root of roots) visit(root);
  return { nodes, leaves };
}

/** The body of a loop that a node runs, if it does. */
export const bodyOf = (node: Node): BodyAttribute | null =>
  node.op === "Scan" || node.op === "Loop" ? (node.attributes!.body as BodyAttribute) : null;

export function nodeSpec(node: Node, at: number): NodeSpec {
  const inputs = node.inputs.map((input) => (input ? nameOf(input) : ""));
  const body = bodyOf(node);
  const own = inputs.length - (body?.captures.length ?? 0);
  return {
    op: node.op,
    domain: node.domain,
    name: `${node.label || node.op}_${at}`,
    inputs: inputs.slice(0, own),
    outputs: node.outputs.map(nameOf),
    attributes: body ? { ...node.attributes, body: { graph: captured(body, inputs.slice(own)) } } : node.attributes,
  };
}

/** The graph of a body with the names that what it captures has around it. */
function captured({ graph, captures }: BodyAttribute, outside: readonly string[]): GraphSpec {
  const names = new Map(captures.map((name, i) => [name, outside[i]!]));
  const renamed = (graph: GraphSpec): GraphSpec => ({
    ...graph,
    nodes: graph.nodes.map((node) => {
      const inner = node.attributes?.body as { readonly graph: GraphSpec } | undefined;
      const inputs = node.inputs.map((name) => names.get(name) ?? name);
      return {
        ...node,
        inputs,
        ...(inner && { attributes: { ...node.attributes, body: { graph: renamed(inner.graph) } } }),
      };
    }),
  });
  return renamed(graph);
}

export const valueSpec = (value: Value): ValueSpec => ({ name: nameOf(value), type: value.type, shape: value.shape });

export const initializerSpec = (value: Value): InitializerSpec => ({
  name: nameOf(value),
  type: value.type,
  shape: value.shape,
  data: (value.leaf as { data: InitializerSpec["data"] }).data,
});

/** A graph whose inputs are the fed leaves, in the order given, and whose outputs are the values, in the order given. */
export function lower(name: string, inputs: readonly Value[], outputs: readonly Value[]): GraphSpec {
  const { nodes, leaves } = reach(outputs);
  const specs = nodes.map(nodeSpec);
  const results: ValueSpec[] = [];
  const named = new Set<string>();
  outputs.forEach((value, i) => {
    // A leaf, or a value asked for twice, needs a name of its own as an output.
    const own = value.node === null || named.has(nameOf(value)) ? `o${i}` : nameOf(value);
    named.add(own);
    if (own !== nameOf(value)) specs.push({ op: "Identity", name: own, inputs: [nameOf(value)], outputs: [own] });
    results.push({ name: own, type: value.type, shape: value.shape });
  });
  return {
    name,
    nodes: specs,
    inputs: inputs.map(valueSpec),
    outputs: results,
    initializers: leaves.filter((v) => v.leaf?.kind === "constant").map(initializerSpec),
  };
}
