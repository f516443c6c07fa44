/** Many steps in one run: the traced step is the body of an ONNX Loop. */
import type * as tf from "@tensorflow/tfjs-core";
import type { Arr } from "../graph/arr.ts";
import { type Node, sameShape, type Value } from "../graph/graph.ts";
import { initializerSpec, nameOf, nodeSpec, reach, valueSpec } from "../graph/lower.ts";
import { vmap } from "../graph/vmap.ts";
import type { GraphSpec, NodeSpec, ValueSpec } from "../onnx/writer.ts";
import { TraceError } from "./backend.ts";
import {
  adoptTensor,
  differing,
  feed,
  given,
  type Input,
  type Plan,
  picked,
  prepare,
  share,
  stackLimit,
} from "./plan.ts";
import { compile, later, type Program, RecentPrograms, workOf } from "./program.ts";
import { type Call, interleaved, noiseOf, stackOf } from "./stack.ts";
import { Block, releaseBlock } from "./storage.ts";
import { flopsOf, tally } from "./tally.ts";
import type { Trace } from "./trace.ts";

export interface LoopShape {
  /** The first tensors are the state, the next the inputs of each step; the rest do not change. */
  readonly stateCount: number;
  readonly inputCount: number;
  /** The shape of each tensor within a step. */
  readonly sizes: readonly (readonly number[])[];
}

const STEPS = "steps";
const AT = "step";
const GO = "go";

/** Compiles a traced step as a loop. The results are the next state and the step's own results. */
export function loopPlan(name: string, trace: Trace, wanted: readonly Arr[], loop: LoopShape): Plan {
  if (trace.assigned.length > 0)
    throw new TraceError("a variable was assigned", "keep what changes from step to step in the state");
  const { stateCount, inputCount, sizes } = loop;
  for (let i = 0; i < stateCount; i++) {
    const next = wanted[i];
    if (!next || !sameShape(next.shape, sizes[i]!))
      throw new TypeError(
        `${name}: steps need a state whose shapes stay, got [${sizes[i]}] and then [${next?.shape}] for its tensor ${i}`,
      );
  }
  const { inputs, outputs, results } = prepare(trace, wanted, stateCount);
  const isState = (input: Input): boolean => input.source.kind === "argument" && input.source.index < stateCount;
  const isStep = ({ source }: Input): boolean =>
    source.kind === "noise" ||
    (source.kind === "argument" && source.index >= stateCount && source.index < stateCount + inputCount);
  const { nodes, leaves } = reach(outputs);
  // A state that only passes through, or whose next value is all that is wanted, is still carried; others stay outside.
  const carried: { index: number; input: Input | null; next: Value; filter: boolean }[] = [];
  const scanned: { result: number; value: Value }[] = [];
  results.forEach((result, i) => {
    if (result.kind !== "output") {
      // An input of the steps that comes back is the stack of inputs itself.
      const own =
        i < stateCount ? result.index === i : result.index >= stateCount && result.index < stateCount + inputCount;
      if (!own)
        throw new TraceError(
          "a result of a step is one of its arguments as it came",
          "return tf.clone of it or leave it out",
        );
      return;
    }
    const value = outputs[result.at]!;
    if (i < stateCount) {
      const input = inputs.find(({ source }) => source.kind === "argument" && source.index === i) ?? null;
      carried.push({ index: i, input, next: value, filter: result.layout !== null });
    } else scanned.push({ result: i, value });
  });
  const parts: Parts = { inputs, nodes, leaves, carried, scanned, isState, isStep };
  const spec = loopSpec(name, parts);
  const program = later(() => compile(spec, workOf(nodes), true));
  const stacks = new RecentPrograms<Parts & { readonly program: Program }>(stackLimit);
  const flops = flopsOf(nodes);

  /** What the loop is given, in order; `fed` gives the block of an input or of a carried tensor. */
  function run(program: Program, of: Parts, count: number, calls: number | null, fed: (of: Input | number) => Block) {
    const blocks: Block[] = [new Block(BigInt64Array.of(BigInt(count)), "int64", "engine")];
    const shapes: (readonly number[])[] = [[]];
    const put = (block: Block, shape: readonly number[]): void => {
      blocks.push(block);
      shapes.push(shape);
    };
    for (const { index, next } of of.carried) put(fed(index), next.shape);
    for (const input of of.inputs) {
      if (isState(input) && of.carried.some((one) => one.input === input)) continue;
      put(fed(input), isStep(input) ? [count, ...input.value.shape] : input.value.shape);
    }
    const every = (shape: readonly number[]): readonly number[] =>
      calls === null ? [count, ...shape] : [calls, count, ...shape.slice(1)];
    return program.run(blocks, shapes, [
      ...of.carried.map(({ next }) => next),
      ...of.scanned.map(({ value }) => ({ type: value.type, shape: every(value.shape) })),
    ]);
  }
  const filterAt = (index: number): boolean => carried.find((one) => one.index === index)!.filter;

  function handedBack(computed: readonly Block[], tensors: readonly tf.Tensor[], count: number): tf.Tensor[] {
    return results.map((result, i) => {
      if (result.kind === "argument") return share(tensors[result.index]!);
      const isCarried = i < stateCount;
      const at = isCarried
        ? carried.findIndex(({ index }) => index === i)
        : carried.length + scanned.findIndex((one) => one.result === i);
      const shape = isCarried ? result.shape : [count, ...result.shape];
      return adoptTensor(computed[at]!, shape, result.dtype, isCarried ? result.layout : null);
    });
  }

  return {
    spec,
    dispose() {
      program.dispose();
      stacks.dispose();
    },
    call(tensors, noise) {
      const count = tensors[stateCount]!.shape[0]!;
      const blocks = noiseOf(trace, [{ tensors, noise }], count);
      const computed = run(program.made, parts, count, null, (of) =>
        typeof of === "number" ? feed(tensors[of]!, filterAt(of)) : given(of, tensors, blocks),
      );
      blocks.forEach(releaseBlock);
      tally(count * flops);
      return handedBack(computed, tensors, count);
    },
    together(calls) {
      const [{ tensors }] = calls as [Call];
      const count = tensors[stateCount]!.shape[0]!;
      const differs = inputs.map((input) => isState(input) || differing(input.source, calls));
      const of = stacks.get(`${calls.length} ${differs}`, () => {
        const over = vmap(outputs, new Set(picked(inputs, differs)), calls.length);
        const at = (value: Value): Value => over.outputs[outputs.indexOf(value)]!;
        const own = new Map(inputs.map((input) => [input, { ...input, value: over.leaves.get(input.value)! }]));
        const stacked: Parts = {
          ...reach(over.outputs),
          inputs: [...own.values()],
          carried: carried.map((one) => ({ ...one, input: one.input && own.get(one.input)!, next: at(one.next) })),
          scanned: scanned.map((one) => ({ ...one, value: at(one.value) })),
          isState,
          isStep,
        };
        return { ...stacked, program: compile(loopSpec(name, stacked, calls.length), workOf(stacked.nodes), true) };
      });
      const spare = noiseOf(trace, calls, count);
      const computed = run(of.program, of, count, calls.length, (input) => {
        if (typeof input === "number") return stackOf(calls, input, filterAt(input));
        const { source, filter } = input;
        if (source.kind !== "argument" || !differs[of.inputs.indexOf(input)]) return given(input, tensors, spare);
        if (!isStep(input)) return stackOf(calls, source.index, filter);
        const block = interleaved(calls, source.index, filter);
        spare.push(block);
        return block;
      });
      spare.forEach(releaseBlock);
      tally(calls.length * count * flops);
      const shares = computed.map((block) => block.parts(calls.length));
      return calls.map((call, i) =>
        handedBack(
          shares.map((one) => one[i]!),
          call.tensors,
          count,
        ),
      );
    },
  };
}

interface Parts {
  readonly inputs: readonly Input[];
  readonly nodes: readonly Node[];
  readonly leaves: readonly Value[];
  readonly carried: readonly { index: number; input: Input | null; next: Value; filter: boolean }[];
  readonly scanned: readonly { result: number; value: Value }[];
  isState(input: Input): boolean;
  isStep(input: Input): boolean;
}

/**
 * The graph around the loop and the graph within. What no step changes is computed once, outside. Over several calls, what the steps give is
 * put in the order of the calls.
 */
function loopSpec(
  name: string,
  { inputs, nodes, leaves, carried, scanned, isState, isStep }: Parts,
  calls: number | null = null,
): GraphSpec {
  const carriedInputs = new Set(carried.map(({ input }) => input));
  const changing = new Set<Value>();
  for (const input of inputs) {
    if (isStep(input) || (isState(input) && carriedInputs.has(input))) changing.add(input.value);
  }
  const inner: Node[] = [];
  const outer: Node[] = [];
  for (const node of nodes) {
    const changes = node.inputs.some((input) => input && changing.has(input));
    (changes ? inner : outer).push(node);
    if (changes) for (const output of node.outputs) changing.add(output);
  }
  const body: NodeSpec[] = [];
  const outerInputs: ValueSpec[] = [{ name: STEPS, type: "int64", shape: [] }];
  const bodyInputs: ValueSpec[] = [
    { name: AT, type: "int64", shape: [] },
    { name: GO, type: "bool", shape: [] },
  ];
  const bodyOutputs: ValueSpec[] = [{ name: "goOn", type: "bool", shape: [] }];
  const loopInputs = [STEPS, ""];
  const loopOutputs: string[] = [];
  const outerOutputs: ValueSpec[] = [];
  body.push({ op: "Identity", name: "goOn", inputs: [GO], outputs: ["goOn"] });
  carried.forEach(({ input, next }, i) => {
    outerInputs.push({ name: `first${i}`, type: next.type, shape: next.shape });
    loopInputs.push(`first${i}`);
    bodyInputs.push({ name: input ? nameOf(input.value) : `unused${i}`, type: next.type, shape: next.shape });
  });
  for (const input of inputs) {
    if (carriedInputs.has(input)) continue;
    const { value } = input;
    if (isStep(input)) {
      outerInputs.push({ name: `each_${nameOf(value)}`, type: value.type, shape: ["K", ...value.shape] });
      const names = { inputs: [`each_${nameOf(value)}`, AT], outputs: [nameOf(value)] };
      body.push({ op: "Gather", name: `pick_${nameOf(value)}`, ...names, attributes: { axis: 0 } });
    } else outerInputs.push(valueSpec(value));
  }
  body.push(...inner.map(nodeSpec));
  const emit = (value: Value, name: string): void => {
    body.push({ op: "Identity", name, inputs: [nameOf(value)], outputs: [name] });
    bodyOutputs.push({ name, type: value.type, shape: value.shape });
  };
  const direct = new Set<Value>();
  const result = (value: Value, name: string): void => {
    // A value that the body computes is handed out under its own name, once.
    if (value.node && changing.has(value) && !direct.has(value)) {
      direct.add(value);
      bodyOutputs.push(valueSpec(value));
    } else emit(value, name);
  };
  carried.forEach(({ next }, i) => {
    result(next, `next${i}`);
    loopOutputs.push(`last${i}`);
    outerOutputs.push({ name: `last${i}`, type: next.type, shape: next.shape });
  });
  scanned.forEach(({ value }, i) => {
    result(value, `each${i}`);
    loopOutputs.push(calls === null ? `all${i}` : `steps${i}`);
    const shape = calls === null ? ["K", ...value.shape] : [calls, "K", ...value.shape.slice(1)];
    outerOutputs.push({ name: `all${i}`, type: value.type, shape });
  });
  const turned = scanned.map(({ value: { shape } }, i): NodeSpec => {
    const perm = [1, 0, ...shape.slice(1).map((_, axis) => axis + 2)];
    return { op: "Transpose", name: `turn${i}`, inputs: [`steps${i}`], outputs: [`all${i}`], attributes: { perm } };
  });
  const graph: GraphSpec = {
    name: `${name} step`,
    nodes: body,
    inputs: bodyInputs,
    outputs: bodyOutputs,
    initializers: [],
  };
  const specs = outer.map((node, i) => ({ ...nodeSpec(node, i), name: `before_${i}` }));
  return {
    name,
    nodes: [
      ...specs,
      { op: "Loop", name: "steps", inputs: loopInputs, outputs: loopOutputs, attributes: { body: { graph } } },
      ...(calls === null ? [] : turned),
    ],
    inputs: outerInputs,
    outputs: outerOutputs,
    initializers: leaves.filter((leaf) => leaf.leaf!.kind === "constant").map(initializerSpec),
  };
}
