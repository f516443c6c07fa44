/** A traced function, compiled: what to feed, what to run, what to hand back. */
import * as tf from "@tensorflow/tfjs-core";
import { type Arr, full, fullAs, oihw } from "../graph/arr.ts";
import { sameShape, sizeOf, type Value } from "../graph/graph.ts";
import { lower, reach } from "../graph/lower.ts";
import { filterLeaves, rewrite } from "../graph/rewrite.ts";
import { target } from "../graph/target.ts";
import { vmap } from "../graph/vmap.ts";
import type { GraphSpec } from "../onnx/writer.ts";
import type { Rng } from "../random.ts";
import { backend } from "./backend.ts";
import { NoiseFeed } from "./noise.ts";
import { compile, later, type Program, RecentPrograms, workOf } from "./program.ts";
import { type Call, isShared, noiseOf, stackOf } from "./stack.ts";
import { Block, type Entry, releaseBlock } from "./storage.ts";
import { flopsOf, tally } from "./tally.ts";
import type { Source, Trace } from "./trace.ts";

/** One result: a new tensor, or an argument handed through. */
type Result =
  | {
      readonly kind: "output";
      readonly at: number;
      readonly shape: number[];
      readonly dtype: tf.DataType;
      readonly layout: Entry["layout"];
    }
  | { readonly kind: "argument"; readonly index: number };

export interface Input {
  readonly source: Source;
  readonly value: Value;
  readonly filter: boolean;
}

/** The graph of a trace in its final form. */
export interface Prepared {
  readonly inputs: Input[];
  readonly outputs: Value[];
  readonly results: Result[];
}

const isFilter = (a: Arr): boolean => a.perm !== null && sameShape(a.perm, oihw) && a.value.type === "float32";

const sourceOf = (leaf: Value): Source | null =>
  leaf.leaf?.kind === "input" ? (leaf.leaf as { source: Source }).source : null;

/**
 * Rewrites the graph of the results and decides how each is handed back.
 *
 * The first `stateCount` results are the next values of the arguments of the same number, and are stored as those are.
 */
export function prepare(trace: Trace, wanted: readonly Arr[], stateCount = 0): Prepared {
  const g = trace.graph;
  const plainly = wanted.map((a) => (isFilter(a) ? fullAs(g, a, oihw) : full(g, a)));
  const filters = new Set<Value>();
  for (const leaf of filterLeaves(plainly)) {
    // Only arguments are kept in the order in which convolutions take them.
    if (sourceOf(leaf)?.kind === "argument" && leaf.type === "float32") filters.add(leaf);
  }
  const states = new Set<number>();
  for (const leaf of reach(plainly).leaves) {
    const source = sourceOf(leaf);
    if (source?.kind !== "argument" || source.index >= stateCount) continue;
    if (isFilter(wanted[source.index]!)) filters.add(leaf);
    if (filters.has(leaf)) states.add(source.index);
  }
  const results: Result[] = [];
  const values: Value[] = [];
  wanted.forEach((a, i) => {
    const source = sourceOf(a.value);
    if (source?.kind === "argument" && sameShape(a.shape, a.value.shape) && a.perm === null) {
      results.push({ kind: "argument", index: source.index });
      return;
    }
    const filter = isFilter(a) || states.has(i);
    const dtype = a.value.type as tf.DataType;
    const layout = filter ? { shape: a.shape, perm: oihw } : null;
    results.push({ kind: "output", at: values.length, shape: [...a.shape], dtype, layout });
    values.push(filter ? fullAs(g, a, oihw) : full(g, a));
  });
  const { outputs, leaves } = rewrite(values, filters, true);
  const used = new Set(reach(outputs).leaves);
  const inputs: Input[] = [];
  for (const [leaf, { value, filter }] of leaves) {
    if (used.has(value)) inputs.push({ source: sourceOf(leaf)!, value, filter });
  }
  return { inputs, outputs, results };
}

/** A compiled function. */
export interface Plan {
  call(tensors: readonly tf.Tensor[], noise: readonly Rng[]): tf.Tensor[];
  /** Runs many calls as one program: what each of them gives. Absent where variables are assigned. */
  together?(calls: readonly Call[]): tf.Tensor[][];
  dispose(): void;
  /** The ONNX graph, for export and for the curious. */
  readonly spec: GraphSpec;
}

/** The block of an argument in the layout that the program wants. */
export function feed(tensor: tf.Tensor, filter: boolean): Block {
  if (tensor.isDisposed)
    throw new Error(
      `a tensor of shape [${tensor.shape}] that is alive is required, got a disposed one; arguments that "donate" names, and the state of steps, are consumed by the call`,
    );
  const entry = backend.entry(tensor.dataId);
  return filter ? backend.asFilter(entry, tensor.shape) : backend.known(entry);
}

/** Makes a tensor of computed numbers. */
export function adoptTensor(block: Block, shape: number[], dtype: tf.DataType, layout: Entry["layout"]): tf.Tensor {
  return tf.engine().makeTensorFromDataId(backend.adopt(block, dtype, layout), shape, dtype, backend);
}

/** A tensor of its own that shares an argument's numbers. */
export function share(tensor: tf.Tensor): tf.Tensor {
  backend.incRef(tensor.dataId);
  return tf.engine().makeTensorFromDataId(tensor.dataId, tensor.shape, tensor.dtype, backend);
}

/** Compiles a trace whose results are `wanted`, when it is called. */
export function plan(name: string, trace: Trace, wanted: readonly Arr[]): Plan {
  const assigned = trace.assigned;
  const prepared = prepare(trace, [...wanted, ...assigned.map(({ result }) => result)]);
  const { inputs, results } = prepared;
  const outputs = inOrder(prepared.outputs);
  const spec = specOf(name, inputs, outputs);
  const { nodes } = reach(outputs);
  const program = later(() => compile(spec, workOf(nodes)));
  const stacks = new RecentPrograms<{ program: Program; outputs: Value[]; inputs: Input[] }>(stackLimit);
  const flops = flopsOf(nodes);
  const shapes = inputs.map(({ value }) => value.shape);
  const noiseBlocks = trace.draws.map(({ shape }) => new Block(new Float32Array(sizeOf(shape)), "float32", "engine"));
  for (const block of noiseBlocks) block.changes = true;
  const noiseFeed = new NoiseFeed(trace.draws);
  const blocks: Block[] = new Array(inputs.length);
  return {
    spec,
    dispose() {
      program.dispose();
      stacks.dispose();
    },
    call(tensors, noise) {
      if (trace.draws.length > 0) noiseFeed.fill(noise, (i) => noiseBlocks[i]!.data as Float32Array);
      for (let i = 0; i < inputs.length; i++) blocks[i] = given(inputs[i]!, tensors, noiseBlocks);
      const computed = program.made.run(blocks, shapes, outputs);
      tally(flops);
      const made = handedBack(results, computed, tensors);
      for (const { variable } of assigned) {
        const next = made[wanted.length + assigned.findIndex((one) => one.variable === variable)]!;
        variable.assign(next);
        next.dispose();
      }
      return made.slice(0, wanted.length);
    },
    ...(assigned.length === 0 && {
      together(calls) {
        const noise = noiseOf(trace, calls, null);
        const differs = inputs.map(({ source }) => differing(source, calls));
        const {
          program,
          outputs,
          inputs: all,
        } = stacks.get(`${calls.length} ${differs}`, () => {
          const { leaves, ...over } = vmap(prepared.outputs, new Set(picked(inputs, differs)), calls.length);
          const outputs = inOrder(over.outputs);
          const own = inputs.map((input) => ({ ...input, value: leaves.get(input.value)! }));
          const made = compile(specOf(name, own, outputs), workOf(reach(outputs).nodes));
          return { program: made, outputs, inputs: own };
        });
        const [{ tensors }] = calls as [Call];
        const blocks = all.map((input, i) =>
          differs[i] && input.source.kind === "argument"
            ? stackOf(calls, input.source.index, input.filter)
            : given(input, tensors, noise),
        );
        const computed = program.run(
          blocks,
          all.map(({ value }) => value.shape),
          outputs,
        );
        noise.forEach(releaseBlock);
        tally(calls.length * flops);
        const parts = computed.map((block) => block.parts(calls.length));
        return calls.map(({ tensors }, call) =>
          handedBack(
            results,
            parts.map((one) => one[call]!),
            tensors,
          ),
        );
      },
    }),
  };
}

/** How many numbers of calls at once a function stays compiled for. */
export const stackLimit = 4;

/** On the processor a result is numbers in order: what only shapes them anew would copy them. */
const inOrder = (values: readonly Value[]): Value[] =>
  values.map((value) => (target.provider === "cpu" && value.node?.op === "Reshape" ? value.node.inputs[0]! : value));

const specOf = (name: string, inputs: readonly Input[], outputs: readonly Value[]): GraphSpec =>
  lower(
    name,
    inputs.map(({ value }) => value),
    outputs,
  );

/** The block of an input within one call. */
export function given({ source, filter }: Input, tensors: readonly tf.Tensor[], noise: readonly Block[]): Block {
  if (source.kind === "argument") return feed(tensors[source.index]!, filter);
  if (source.kind === "noise") return noise[source.index]!;
  return source.kind === "capture" ? source.block : feed(source.variable, filter);
}

function handedBack(
  results: readonly Result[],
  computed: readonly Block[],
  tensors: readonly tf.Tensor[],
): tf.Tensor[] {
  return results.map((result) =>
    result.kind === "argument"
      ? share(tensors[result.index]!)
      : adoptTensor(computed[result.at]!, result.shape, result.dtype, result.layout),
  );
}

/** Whether an input has other numbers in each call. */
export function differing(source: Source, calls: readonly Call[]): boolean {
  return source.kind === "noise" || (source.kind === "argument" && !isShared(calls, source.index));
}

export const picked = (inputs: readonly Input[], differs: readonly boolean[]): Value[] =>
  inputs.flatMap(({ value }, i) => (differs[i] ? [value] : []));
