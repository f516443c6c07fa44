/** How weights move: a transformation of gradients with explicit state, and schedules for its rate. */
import type { Json } from "../data/dataset.ts";
import { checked, type Options, type Widened } from "../data/options.ts";
import { mapTensors, type Tree, tf } from "../engine/index.ts";

/** An optimizer or schedule as plain JSON. */
export interface OptimSpec {
  readonly name: string;
  readonly options: Json;
}

/** A gradient transformation. All of it is traced into the training step. */
export interface Optimizer {
  readonly spec: OptimSpec;
  /** The learning rate that a schedule scales. */
  readonly rate: number;
  /** State for new parameters: a tree of tensors. */
  init(params: Tree): Tree;
  /** Steps to be added to the parameters (in their tree), and the next state. `rate` is a scalar tensor: it may change at every step. */
  update(grads: Tree, state: Tree, params: Tree, rate: tf.Tensor): readonly [updates: Tree, state: Tree];
  toJSON(): OptimSpec;
}

/** The parts an optimizer's declaration gives for its options. */
export type OptimizerParts = Pick<Optimizer, "init" | "update">;

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
    return Object.freeze({ spec, rate: all.lr, ...build(all as Widened<O>), toJSON: () => spec });
  };
  return Object.assign(make, { optimizer: name, defaults });
}

/** Where a run is when a step's rate is asked for. */
export interface Moment {
  /** Steps taken on this experience before this one, and how many it will take. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly experience: number;
}

/** A factor on the learning rate at each moment. */
export interface Schedule {
  readonly spec: OptimSpec;
  factor(moment: Moment): number;
  toJSON(): OptimSpec;
}

/** A function that makes a schedule from options. */
export interface ScheduleFactory<O extends Options> {
  (options?: Partial<Widened<O>>): Schedule;
  readonly schedule: string;
  readonly defaults: O;
}

/** Declares a schedule: its name, its options with their defaults, and its factor. */
export function schedule<O extends Options>(
  name: string,
  defaults: O,
  build: (options: Widened<O>) => (moment: Moment) => number,
): ScheduleFactory<O> {
  const make = (options: Partial<Widened<O>> = {}): Schedule => {
    const all = checked(name, defaults, options as Partial<O>);
    const spec = { name, options: all as Json };
    return Object.freeze({ spec, factor: build(all as Widened<O>), toJSON: () => spec });
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
