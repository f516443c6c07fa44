/** An experiment's learner as machines hold it: replicas that give gradients as vectors, take updates, and are put where a vector says. */

import type { Examples } from "../../data/dataset.ts";
import { disposeTree, mapTensors, mapTree, paths, type Rng, random, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { type Network, network, type Weights } from "../../models/network.ts";
import { type TrainedNetwork, trained } from "../../models/trained.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { columns as allColumns } from "../../train/columns.ts";
import { evaluator } from "../../train/evaluate.ts";
import { freshLearner } from "../../train/held.ts";
import { alone } from "../../train/parts/asking.ts";
import { fitted } from "../../train/parts/trained.ts";
import { scored } from "../../train/score.ts";
import { type RunSpec, settled } from "../../train/spec.ts";
import type { StepPass } from "../../train/stacked.ts";
import { outset } from "../../train/state.ts";
import { type Learner, trainStep } from "../../train/step.ts";
import { replica } from "./replica.ts";
import { countOf } from "./vectors.ts";

/** What a gradient came to. */
export interface Slope {
  readonly loss: number;
  /** The mean over the rows. */
  readonly gradient: Float32Array;
  readonly rows: number;
}

/** A learner on one machine. */
export interface Replica {
  /** The weights and then the running statistics. */
  vector(): Float32Array;
  /** Puts weights, and statistics where the vector has them, in place of its own; `fresh` begins the optimizer anew. */
  place(vector: Float32Array, options?: { readonly fresh?: boolean }): void;
  /** The gradient of a batch; running statistics follow, weights stay. */
  gradient(pass: StepPass): Slope;
  /** One update by the optimizer from a gradient. */
  update(gradient: Float32Array, rate: number): void;
  /** One step on a batch as plain training makes it; gives the loss. */
  step(pass: StepPass): number;
  dispose(): void;
}

/** A tensor of the weights within a vector. */
export interface Layer {
  /** Where it lies in the weights: "head/kernel". */
  readonly path?: string;
  readonly from: number;
  readonly size: number;
  readonly shape: readonly number[];
}

/** What is the same for all machines that train one experiment. */
export interface Trainer {
  readonly spec: RunSpec;
  readonly root: Rng;
  readonly network: Network;
  /** The tensors of the weights. */
  readonly layers: readonly Layer[];
  /** Numbers of the weights, and with the running statistics. */
  readonly weights: number;
  readonly numbers: number;
  /** A learner as plain training begins it. Each has noise of its own; number 0 has that of plain training. */
  replica(number?: number, optimizer?: Optimizer): Replica;
  /** Mean accuracy over tasks; default all. */
  accuracy(vector: Float32Array, tasks?: readonly number[]): number;
  /** What a vector's network makes of examples before its head, row after row. */
  features(vector: Float32Array, examples: Examples): Float32Array;
  /** The network of a vector as a value; it is the caller's. */
  trained(vector: Float32Array): TrainedNetwork;
}

/** An optimizer that moves nothing and holds the gradient it was given, in the place of a state of the weights' form. */
const capture: Pick<Optimizer, "init" | "update"> = {
  init: (params) => params,
  update: (grads, _state, params) => [mapTensors((leaf: tf.Tensor) => tf.zerosLike(leaf), params), grads],
};

/**
 * Compiles an experiment for many machines.
 *
 * @throws TypeError where it has strategies, parts of a plan, or a head that grows: what they hold is of one learner.
 */
export function trainer(where: string, given: RunSpec, seed: number): Trainer {
  const spec = settled(given, seed);
  requirePlain(where, spec);
  const { stream } = spec;
  const root = random(seed);
  const net = network(spec.model, stream.shape);
  const columns = allColumns(stream, stream.classes.length, []);
  const own = fitted(spec.optimizer, net);
  const slopes = trainStep(net, { ...own, ...capture }, []);
  const judge = evaluator(net, []);
  const begin = (optimizer: Optimizer): Learner => freshLearner(net, optimizer, root.at("init"), columns.count);
  const first = begin(own);
  const layers = layersOf(first.weights);
  const weights = countOf(first.weights);
  const forms = mapTree((leaf: tf.Tensor) => new Form(leaf.shape), {
    weights: first.weights,
    statistics: first.statistics,
  });
  const numbers = weights + countOf(first.statistics);
  disposeTree(first as unknown as Tree);
  const steps = new Map<Optimizer, ReturnType<typeof trainStep>>();
  const stepOf = (optimizer: Optimizer): ReturnType<typeof trainStep> => {
    const found = steps.get(optimizer) ?? trainStep(net, optimizer, []);
    steps.set(optimizer, found);
    return found;
  };
  return {
    spec,
    root,
    network: net,
    layers,
    weights,
    numbers,
    replica(number = 0, optimizer = spec.optimizer) {
      const fit = optimizer === spec.optimizer ? own : fitted(optimizer, net);
      const noise = number === 0 ? root.at("noise") : root.at("noise").at("machine", number);
      return replica({ stream, columns, noise, optimizer: fit, slopes, step: stepOf(fit), begin });
    },
    accuracy(vector, tasks = Array.from({ length: stream.tasks }, (_, task) => task)) {
      const placed = { ...splitOf(forms as Forms, vector), states: {} };
      const each = tasks.map(
        (task) => alone(scored(judge, placed, stream, columns, outset, task, stream.test(task))).accuracy,
      );
      disposeTree([placed.weights, placed.statistics] as unknown as Tree);
      return each.reduce((sum, x) => sum + x, 0) / each.length;
    },
    features(vector, examples) {
      const placed = { ...splitOf(forms as Forms, vector), states: {} };
      const { features } = judge.outputs(placed, examples, null);
      disposeTree([placed.weights, placed.statistics] as unknown as Tree);
      return features;
    },
    trained(vector) {
      const { weights, statistics } = splitOf(forms as Forms, vector);
      try {
        return networkOf(spec, weights, statistics);
      } finally {
        disposeTree([weights, statistics] as unknown as Tree);
      }
    },
  };
}

function requirePlain(where: string, { stream, strategies, batching = [] }: RunSpec): void {
  const kept = strategies.filter(({ hooks }) => Object.values(hooks).some((hook) => typeof hook === "function"));
  if (kept.length > 0)
    throw new TypeError(
      `${where}: a study without strategies is required, got ${kept.map(({ spec }) => spec.name).join(", ")}; what they keep belongs to one learner`,
    );
  if (batching.length > 0)
    throw new TypeError(
      `${where}: batches of a fixed plan are required, got ${batching.map(({ spec }) => spec.name).join(", ")}`,
    );
  if (stream.head === "growing" || stream.classes.length === 0)
    throw new TypeError(
      `${where}: a stream that names all its classes at the start is required, got head "${stream.head}"`,
    );
  if (!Number.isFinite(stream.length))
    throw new TypeError(`${where}: a stream that ends is required, got an endless one`);
}

/** The shape of a tensor; a leaf of trees. */
class Form {
  readonly shape: readonly number[];
  constructor(shape: readonly number[]) {
    this.shape = shape;
  }
}

type Forms = { readonly weights: Tree<Form>; readonly statistics: Tree<Form> };

/** Weights and statistics of a vector, as new tensors. */
function splitOf(forms: Forms, vector: Float32Array): { readonly weights: Weights; readonly statistics: Params } {
  let at = 0;
  const made = mapTree(({ shape }: Form) => {
    const from = at;
    at += shape.reduce((a, b) => a * b, 1);
    return tf.tensor(vector.slice(from, at), [...shape]);
  }, forms);
  return made as unknown as { weights: Weights; statistics: Params };
}

function layersOf(weights: Weights): Layer[] {
  let at = 0;
  return paths(weights as Tree).map(([path, { size, shape }]) => {
    at += size;
    return { path, from: at - size, size, shape: [...shape] };
  });
}

function networkOf({ model, stream }: RunSpec, weights: Weights, statistics: Params): TrainedNetwork {
  const { scale, bytes } = stream.test(0).examples;
  return trained({
    model,
    input: stream.shape,
    weights,
    statistics,
    scale,
    bytes,
    target: stream.target,
    classes: stream.classes,
    scenario: stream.head,
    tasks: Array.from({ length: stream.tasks }, (_, task) => stream.classesOf(task)),
    told: stream.head === "multi",
  });
}

/** Frees replicas. */
export function disposeAll(replicas: readonly Replica[]): void {
  for (const replica of replicas) replica.dispose();
}
