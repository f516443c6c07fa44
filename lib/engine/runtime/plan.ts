/** A traced function, compiled: what to feed, what to run, what to hand back. */
import * as tf from "@tensorflow/tfjs-core";
import { type Arr, full, fullAs, oihw } from "../graph/arr.ts";
import { sameShape, sizeOf, type Value } from "../graph/graph.ts";
import { lower, reach } from "../graph/lower.ts";
import { filterLeaves, rewrite } from "../graph/rewrite.ts";
import { target } from "../graph/target.ts";
import type { GraphSpec } from "../onnx/writer.ts";
import type { Rng } from "../random.ts";
import { backend } from "./backend.ts";
import { NoiseFeed } from "./noise.ts";
import { compile, type Program, workOf } from "./program.ts";
import { Block, type Entry } from "./storage.ts";
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

/** Compiles a trace whose results are `wanted`. */
export function plan(name: string, trace: Trace, wanted: readonly Arr[]): Plan {
  const assigned = trace.assigned;
  const { inputs, outputs: seen, results } = prepare(trace, [...wanted, ...assigned.map(({ result }) => result)]);
  // On the processor a result is numbers in order: what only shapes them anew would copy them.
  const isOrder = ({ node }: Value): boolean => target.provider === "cpu" && node?.op === "Reshape";
  const outputs = seen.map((value) => (isOrder(value) ? value.node!.inputs[0]! : value));
  const spec = lower(
    name,
    inputs.map(({ value }) => value),
    outputs,
  );
  const { nodes } = reach(outputs);
  const program: Program = compile(spec, workOf(nodes));
  const flops = flopsOf(nodes);
  const shapes = inputs.map(({ value }) => value.shape);
  const noiseBlocks = trace.draws.map(({ shape }) => new Block(new Float32Array(sizeOf(shape)), "float32", "engine"));
  const noiseFeed = new NoiseFeed(trace.draws);
  const blocks: Block[] = new Array(inputs.length);
  return {
    spec,
    dispose: () => program.dispose(),
    call(tensors, noise) {
      if (trace.draws.length > 0) noiseFeed.fill(noise, (i) => noiseBlocks[i]!.data as Float32Array);
      for (let i = 0; i < inputs.length; i++) {
        const { source, filter } = inputs[i]!;
        blocks[i] =
          source.kind === "argument"
            ? feed(tensors[source.index]!, filter)
            : source.kind === "noise"
              ? noiseBlocks[source.index]!
              : source.kind === "capture"
                ? source.block
                : feed(source.variable, filter);
      }
      const computed = program.run(blocks, shapes, outputs);
      tally(flops);
      const made = results.map((result) =>
        result.kind === "argument"
          ? share(tensors[result.index]!)
          : adoptTensor(computed[result.at]!, result.shape, result.dtype, result.layout),
      );
      for (const { variable } of assigned) {
        const next = made[wanted.length + assigned.findIndex((one) => one.variable === variable)]!;
        variable.assign(next);
        next.dispose();
      }
      return made.slice(0, wanted.length);
    },
  };
}
