/** The body of a loop within a program: part of a recording, cut out as a graph of its own. */
import * as tf from "@tensorflow/tfjs-core";
import { type Arr, arr, full, transposeValue } from "../graph/arr.ts";
import { Graph, type Node, type Value } from "../graph/graph.ts";
import { lower, nameOf, reach } from "../graph/lower.ts";
import { rewrite } from "../graph/rewrite.ts";
import { vmap } from "../graph/vmap.ts";
import { everywhere, type Lane, rule } from "../graph/vmap-rules.ts";
import type { BodyAttribute } from "../onnx/writer.ts";
import { withoutGradient } from "../without-gradient.ts";
import { backend, type Tracing } from "./backend.ts";
import { structure } from "./program.ts";
import { elementType } from "./storage.ts";
import type { Source } from "./trace.ts";

/** A body and what it takes from around it. */
export interface Body {
  readonly attribute: BodyAttribute;
  /** Values of the graph around it that every pass uses as they are. */
  readonly captures: readonly Value[];
  readonly results: readonly { readonly shape: readonly number[]; readonly type: Value["type"] }[];
}

/**
 * Records one pass of a loop: `fn` gets a stand-in for each of `changing`, which are given by shape and type, and may use the tensors
 * `constants` besides; any others where these are null.
 *
 * @throws Error when it uses a tensor that depends on the arguments of the compiled function and is not among them.
 */
export function recordBody(
  name: string,
  tracing: Tracing,
  changing: readonly { readonly shape: readonly number[]; readonly dtype: string }[],
  constants: readonly tf.Tensor[] | null,
  length: number,
  fn: (given: tf.Tensor[]) => readonly tf.Tensor[],
): Body {
  const { graph } = tracing;
  const parameters = changing.map(({ shape, dtype }) => graph.input(shape, elementType(dtype), { kind: "pass" }));
  const record = (): Value[] => {
    let values: Value[] = [];
    tf.tidy(() => {
      const given = parameters.map((value) => tf.engine().makeTensorFromTensorInfo(backend.make(arr(value)), backend));
      values = fn(given).map((out) => full(graph, backend.arr(out)));
    });
    return values;
  };
  const wanted = withoutGradient(() => (backend.tracing === null ? backend.trace(tracing, record) : record()));
  if (constants !== null)
    requireKnown(name, wanted, [...parameters, ...constants.map((one) => backend.arr(one).value)]);
  const cut = cutOut(wanted, parameters);
  const { outputs } = rewrite(cut.outputs, new Set(), true);
  const { leaves } = reach(outputs);
  const used = cut.captures.filter(({ inner }) => leaves.includes(inner));
  const captured = used.map(({ inner }) => inner);
  return {
    attribute: attributeOf(`${name} pass`, { parameters, captured, outputs }, length),
    captures: used.map(({ outer }) => outer),
    results: outputs.map(({ shape, type }) => ({ shape, type })),
  };
}

/** A body as a node has it. */
function attributeOf(name: string, values: BodyAttribute["values"], length: number): BodyAttribute {
  const { parameters, captured, outputs } = values;
  const { nodes, leaves } = reach(outputs);
  const text = structure(nodes, [...parameters, ...captured, ...leaves.filter(isConstant)], outputs);
  return {
    graph: lower(name, parameters, outputs),
    captures: captured.map(nameOf),
    nodes,
    length,
    values,
    toJSON: () => text,
  };
}

/** A loop along places for many calls: one loop whose passes do all calls, the places before the calls. */
rule("Scan", (of) => {
  const { g, count, node, inputs } = of;
  const { graph, length, values } = node.attributes!.body as BodyAttribute;
  const given = inputs as Lane[];
  const places = Number(node.attributes!.num_scan_inputs);
  const [states, own] = [values.parameters.length - places, values.parameters.length];
  // A state differs after the first pass where anything does.
  const differs = given.map((lane, i) => i < states || lane.differs);
  const inner = [...values.parameters, ...values.captured];
  const over = vmap(values.outputs, new Set(inner.filter((_, i) => differs[i])), count);
  const at = (value: Value, i: number): Value =>
    over.leaves.get(value) ?? (differs[i] ? g.input([count, ...value.shape], value.type, { kind: "pass" }) : value);
  const all = inner.map(at);
  const taken = given.map((lane, i) => {
    if (!differs[i]) return lane.value;
    const value = everywhere(g, lane, count);
    return i < states || i >= own ? value : turned(g, value);
  });
  const body = attributeOf(
    graph.name,
    { parameters: all.slice(0, own), captured: all.slice(own), outputs: over.outputs },
    length,
  );
  const results = node.outputs.map(({ shape, type }, i) => ({
    shape: i < states ? [count, ...shape] : [length, count, ...shape.slice(1)],
    type,
  }));
  const made = g.ops("Scan", taken, results, { ...node.attributes, body });
  return made.map((value, i) => (i < states ? value : turned(g, value)));
});

/** The first two axes the other way round. */
const turned = (g: Graph, value: Value): Value =>
  transposeValue(g, value, [1, 0, ...value.shape.slice(2).map((_, i) => i + 2)]);

const isConstant = (value: Value): boolean => value.leaf?.kind === "constant";

/** Throws when the values need arguments by other ways than through `known`: a gradient would not find them. */
function requireKnown(name: string, wanted: readonly Value[], known: readonly Value[]): void {
  for (const { leaf } of reach(wanted, new Set(known)).leaves.filter((value) => !known.includes(value))) {
    const kind = leaf?.kind === "input" ? (leaf.source as Source).kind : "constant";
    if (kind === "argument" || kind === "noise" || kind === "variable")
      throw new Error(
        `${name}: a function of its arguments alone is required, got one that uses ${kind === "noise" ? "noise" : "a tensor"} from around it; pass that among the constants, or with an axis of places among the inputs`,
      );
  }
}

/** The nodes that depend on the parameters, in a graph of their own; other values that they use are its inputs. */
function cutOut(wanted: readonly Value[], parameters: readonly Value[]) {
  const graph = new Graph();
  const to = new Map<Value, Value>(parameters.map((value) => [value, value]));
  const captures: { readonly outer: Value; readonly inner: Value }[] = [];
  const at = (value: Value): Value => {
    const found = to.get(value);
    if (found !== undefined) return found;
    const inner = isConstant(value) ? value : graph.input(value.shape, value.type, { kind: "outer" });
    if (!isConstant(value)) captures.push({ outer: value, inner });
    to.set(value, inner);
    return inner;
  };
  const changing = new Set<Value>(parameters);
  const depends = ({ inputs, outputs }: Node): boolean => {
    const found = inputs.some((input) => input && changing.has(input));
    if (found) for (const output of outputs) changing.add(output);
    return found;
  };
  for (const node of reach(wanted).nodes.filter(depends)) {
    graph.label = node.label;
    const inputs = node.inputs.map((input) => input && at(input));
    const made = graph.ops(node.op, inputs, node.outputs, node.attributes, node.domain);
    node.outputs.forEach((output, i) => {
      to.set(output, made[i]!);
    });
  }
  return { outputs: wanted.map(at), captures };
}

/** Records the loop over `length` places: the states after it, and the stacks of what each pass gives besides. */
export function recordScan(
  graph: Graph,
  body: Body,
  states: readonly Arr[],
  inputs: readonly Arr[],
  reverse: boolean,
): Arr[] {
  const { attribute, captures, results } = body;
  const direction = (count: number): number[] => new Array(count).fill(Number(reverse));
  const attributes = {
    body: attribute,
    num_scan_inputs: inputs.length,
    scan_input_directions: direction(inputs.length),
    ...(results.length > states.length && { scan_output_directions: direction(results.length - states.length) }),
  };
  const given = [...states, ...inputs].map((one) => full(graph, one));
  const made = results.map(({ shape, type }, i) => ({
    shape: i < states.length ? shape : [attribute.length, ...shape],
    type,
  }));
  return graph.ops("Scan", [...given, ...captures], made, attributes).map((value) => arr(value));
}

/** Records a body that runs once where `due` is 1 and not at all where it is 0: the states after it. */
export function recordWhen(graph: Graph, body: Body, due: Arr, states: readonly Arr[]): Arr[] {
  const { attribute, captures, results } = body;
  const own = attribute.graph;
  // names within a body are to be seen nowhere around it
  const [time, go, goOn] = ["time", "go", "goOn"].map((name) => `${name} ${own.inputs[0]!.name}`) as [
    string,
    string,
    string,
  ];
  const loop = {
    ...own,
    nodes: [{ op: "Identity", name: goOn, inputs: [go], outputs: [goOn] }, ...own.nodes],
    inputs: [
      { name: time, type: "int64", shape: [] } as const,
      { name: go, type: "bool", shape: [] } as const,
      ...own.inputs,
    ],
    outputs: [{ name: goOn, type: "bool", shape: [] } as const, ...own.outputs],
  };
  const times = graph.op("Cast", [full(graph, due)], [], "int64", { to: 7 });
  const given = states.map((one) => full(graph, one));
  const attributes = { body: { ...attribute, graph: loop } };
  return graph.ops("Loop", [times, null, ...given, ...captures], results, attributes).map((value) => arr(value));
}
