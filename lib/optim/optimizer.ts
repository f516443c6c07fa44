/** How weights move: a transformation of gradients with explicit state, and schedules for its rate. */
import type { Json } from "../data/dataset.ts";
import { checked, type Options, type Widened } from "../data/options.ts";
import { mapTensors, type Rng, type Tree, tf } from "../engine/index.ts";
import type { ParameterKind } from "../models/parameters.ts";
import type { Listening } from "./listening.ts";

/** An optimizer or schedule as plain JSON. */
export interface OptimSpec {
  readonly name: string;
  readonly options: Json;
}

/** What an optimizer may ask to see of a step beside the gradients. */
export type Sight = "task" | "layers" | "gradient" | "loss" | "drawn" | "noise";

/** One pass of a batch through a layer with weights. */
export interface LayerSeen {
  /** What came in: `[n, …]`. */
  readonly input: tf.Tensor;
  /** The gradient of the step's loss with respect to what came out, before the activation: `[n, …]`; of a mean loss, 1/n of each row's own. */
  readonly gradient: tf.Tensor;
}

/** What a step shows an optimizer that asked to see it. */
export interface Seen {
  /** `[n]`, whole numbers: the task of each row; null where the stream does not tell it, or it was not asked for. */
  readonly task: tf.Tensor | null;
  /** Of each layer with weights, by where its tensors lie ("model/2-dense"), its passes in the step's own pass; empty where not asked for. */
  readonly layers: Readonly<Record<string, readonly LayerSeen[]>>;
  /** The gradient of the step's loss at other parameters, in the same tree, with the same noise. It can be differentiated again. */
  gradient(params: Tree): Tree;
  /** The step's loss at other parameters: a scalar, with the same noise. */
  loss(params: Tree): tf.Tensor;
  /**
   * The gradient of the mean cross-entropy of the step's rows at other parameters, with labels drawn from what the network predicts in place
   * of their own, and how many labels there are.
   */
  drawn(params: Tree): { readonly gradient: Tree; readonly labels: number };
  /** Noise for this step; null where it was not asked for, or nothing may be random. */
  readonly rng: Rng | null;
}

/** A gradient transformation. All of it is traced into the training step. */
export interface Optimizer {
  readonly spec: OptimSpec;
  /** The learning rate that a schedule scales. */
  readonly rate: number;
  /** Whether nothing may follow it in a chain: its steps are not a direction times the rate. */
  readonly last?: true;
  /** What it asks to see; what no optimizer asks for is not computed. */
  readonly sees?: readonly Sight[];
  /** State for new parameters: a tree of tensors. */
  init(params: Tree): Tree;
  /**
   * Steps to be added to the parameters (in their tree), and the next state. `rate` is a scalar tensor: it may change at every step. `seen`
   * is there where it `sees` anything.
   */
  update(grads: Tree, state: Tree, params: Tree, rate: tf.Tensor, seen?: Seen): readonly [updates: Tree, state: Tree];
  /**
   * The parameters that predict, where these are not the ones that are trained: an average of those on the way. Evaluations, probes and
   * the network of a run are of these; strategies see those that are trained.
   */
  shown?(params: Tree, state: Tree): Tree;
  /** The same optimizer for the parameters of one network, where it asks what a parameter is for. */
  over?(kindOf: KindOf): Optimizer;
  toJSON(): OptimSpec;
}

/** What the parameter at a path of a network's weights is for. */
export type KindOf = (path: string) => ParameterKind;

/** The parts an optimizer's declaration gives for its options. */
export type OptimizerParts = Pick<Optimizer, "init" | "update" | "sees" | "last" | "shown"> & {
  /** The parts for the parameters of one network. */
  over?(kindOf: KindOf): OptimizerParts;
};

/** A function that makes an optimizer from options. */
export interface OptimizerFactory<O extends Options & { lr: number }> {
  (options?: Partial<Widened<O>>): Optimizer;
  readonly optimizer: string;
  readonly defaults: O;
}

/** Declares an optimizer: its name, its options with their defaults, and what it does. */
export function optimizer<O extends Options & { lr: number }>(
  name: string,
  defaults: O,
  build: (options: Widened<O>) => OptimizerParts,
): OptimizerFactory<O> {
  const make = (options: Partial<Widened<O>> = {}): Optimizer => {
    const all = checked(name, defaults, options as Partial<O>);
    if (!(all.lr > 0 && Number.isFinite(all.lr)))
      throw new RangeError(`${name}: lr must be a positive number, got ${all.lr}`);
    const spec = { name, options: all as Json };
    const whole = ({ over, ...parts }: OptimizerParts): Optimizer =>
      Object.freeze({
        spec,
        rate: all.lr,
        ...parts,
        ...(over !== undefined && { over: (kindOf: KindOf) => whole(over(kindOf)) }),
        toJSON: () => spec,
      });
    return whole(build(all as Widened<O>));
  };
  return Object.assign(make, { optimizer: name, defaults });
}

/** Where a run is when a step's rate is asked for. What is optional is always there in a run. */
export interface Moment {
  /** Steps taken on this experience before this one, and how many it will take, as far as is known. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly experience: number;
  /** Steps taken in the run before this one. */
  readonly taken?: number;
  /** Examples of this experience that were trained on before this step, those of earlier passes included. */
  readonly seen?: number;
  /** Examples that one pass over the experience has, and how many passes there are to be. */
  readonly examples?: number;
  readonly epochs?: number;
  /** Examples per step, as training is set. */
  readonly batch?: number;
}

/** A factor on the learning rate at each moment. */
export interface Schedule {
  readonly spec: OptimSpec;
  /** `state` is what a schedule that listens has made of what it was told; as at the start of a run where it is left out. */
  factor(moment: Moment, state?: object): number;
  /** What it is told, where it listens. */
  readonly listens?: Listening<object>;
  toJSON(): OptimSpec;
}

/** A function that makes a schedule from options. */
export interface ScheduleFactory<O extends Options> {
  (options?: Partial<Widened<O>>): Schedule;
  readonly schedule: string;
  readonly defaults: O;
}

/** What a schedule that listens gives for its options. */
export interface ListeningSchedule<S extends object> {
  readonly listens: Listening<S>;
  factor(moment: Moment, state?: S): number;
}

/**
 * Declares a schedule: its name, its options with their defaults, and its factor; one that listens gives what it is told besides.
 *
 * @example
 * ```ts
 * import { schedule } from "thalweg";
 * const halved = schedule("halved", { every: 2 }, ({ every }) => ({ epoch }) => 0.5 ** Math.floor(epoch / every));
 * halved().factor({ step: 0, steps: 9, epoch: 4, experience: 0 }); // 0.25
 * ```
 */
export function schedule<O extends Options, S extends object = never>(
  name: string,
  defaults: O,
  build: (options: Widened<O>) => ((moment: Moment) => number) | ListeningSchedule<S>,
): ScheduleFactory<O> {
  const make = (options: Partial<Widened<O>> = {}): Schedule => {
    const all = checked(name, defaults, options as Partial<O>);
    const spec = { name, options: all as Json };
    const built = build(all as Widened<O>);
    const parts =
      typeof built === "function" ? { factor: built } : (built as unknown as Pick<Schedule, "factor" | "listens">);
    return Object.freeze({ spec, ...parts, toJSON: () => spec });
  };
  return Object.assign(make, { schedule: name, defaults });
}

/** A tree of zeros in the shape of the parameters. */
export function zeros(params: Tree): Tree {
  return mapTensors((leaf: tf.Tensor) => tf.zerosLike(leaf), params);
}

/** Gradients with the pull of weight decay, `g + weightDecay · w`; the gradients themselves where it is 0. */
export function decayed(grads: Tree, params: Tree, weightDecay: number): Tree {
  if (weightDecay === 0) return grads;
  return mapTensors((g: tf.Tensor, w: tf.Tensor) => tf.add(g, tf.mul(w, weightDecay)), grads, params);
}

/** Adds updates to parameters, leaf by leaf. */
export function applyUpdates<P>(params: P, updates: P): P {
  return mapTensors((p: tf.Tensor, u: tf.Tensor) => tf.add(p, u), params, updates);
}
