/** How the steps of a run are made up: batch sizes, order, resolution and views, from parts that may listen to what happened. */
import type { Json, Shape } from "../data/dataset.ts";
import { checked, type Options, type Widened } from "../data/options.ts";
import type { Rng } from "../engine/index.ts";
import type { Listening } from "./listening.ts";
import type { Moment, OptimSpec } from "./optimizer.ts";

/** A pass over the examples of an experience that is about to begin. */
export interface EpochPass {
  /** The class of each example; −1 where it has none. */
  readonly labels: Int32Array;
  readonly experience: number;
  readonly epoch: number;
  readonly epochs: number;
  /** Examples per step, as training is set. */
  readonly batch: number;
  /** The loss of each example when it was trained on last, before the update; NaN where it was not yet. Null unless the part asks for it. */
  readonly losses: Float32Array | null;
  /** What the head gets for each example, row after row, by the network as it is; null unless the part asks for it. */
  readonly features: Float32Array | null;
  /** Randomness of this pass alone. */
  readonly rng: Rng;
  /** Randomness by number, for what several passes share. */
  rngs(number: number): Rng;
}

/** A map of `to` places from `from` places, row after row; with an imaginary part where it is a map of complex numbers. */
export interface Shrink {
  readonly real: Float32Array;
  readonly imaginary?: Float32Array;
}

/** What a part of the plan decides. All are optional; a run can have one part for each, and several that have a `view` or a `rate`. */
export interface BatchingHooks<S extends object> {
  /** What it is told, where it listens; its state comes back as the last argument of the others. */
  readonly listens?: Listening<S>;
  /** Examples whose gradients make one update, before they are multiplied by `accumulate`. Every size is a program of its own. */
  batch?(moment: Required<Moment>, state?: S): number;
  /** How many batches' gradients are gathered into one update: the mean over all their rows. */
  accumulate?(moment: Required<Moment>, state?: S): number;
  /** The most examples that pass through the network at once; an update of more gathers their gradients. 0 sets no limit. */
  most?(moment: Required<Moment>, state?: S): number;
  /** A factor on the learning rate besides the schedule's; those of several parts are multiplied. */
  rate?(moment: Required<Moment>, state?: S): number;
  /** Examples of a pass, of so many; all where this is left out. Steps are counted from it. `batch` is that of training. */
  length?(examples: number, epoch: number, epochs: number, batch: number): number;
  /** The examples of a pass in the order of training, by their place in the table; they may come more than once or not at all. */
  order?(pass: EpochPass, state?: S): Uint32Array;
  /** Whether `order` wants the losses of single examples. */
  readonly losses?: boolean;
  /** Whether `order` wants features for a pass: then every example goes through the network before it. */
  features?(epoch: number): boolean;
  /** Copies of each example in a step, which `view` makes different. Default 1. */
  views?(moment: Required<Moment>, state?: S): number;
  /** Writes a row of a step, replayed ones included, as it is to be seen; several parts do so one after the other. `row` stays as it is. */
  view?(row: Float32Array, out: Float32Array, shape: Shape, rng: Rng, moment: Required<Moment>): void;
  /** Whether `view` is for images alone. */
  readonly images?: boolean;
  /** The side of the images of a step, where the longer side is `from`; the model must take every such size. */
  side?(moment: Required<Moment>, from: number, state?: S): number;
  /** How `from` places become `to`: `[to, from]`, for rows and columns alike. Means over areas where this is left out. */
  shrink?(from: number, to: number): Shrink;
}

/** A part of a run's plan. */
export interface Batching {
  readonly spec: OptimSpec;
  readonly plan: BatchingHooks<object>;
  toJSON(): OptimSpec;
}

/** A function that makes a part of a plan from options. */
export interface BatchingFactory<O extends Options> {
  (options?: Partial<Widened<O>>): Batching;
  readonly batching: string;
  readonly defaults: O;
}

/**
 * Declares a part of a run's plan: its name, its options with their defaults, and what it decides.
 *
 * @example
 * ```ts
 * import { batching, blobs, classes, mlp } from "thalweg";
 * const doubled = batching("doubled", { every: 1 }, ({ every }) => ({
 *   batch: ({ batch, epoch }) => batch * 2 ** Math.floor(epoch / every),
 * }));
 * const study = classes(blobs()).split(2).learn(mlp()).with(doubled()).train({ batch: 8, epochs: 2 });
 * study.spec.batching?.[0]?.spec.name; // "doubled"
 * ```
 */
export function batching<O extends Options, S extends object = never>(
  name: string,
  defaults: O,
  build: (options: Widened<O>) => BatchingHooks<S>,
): BatchingFactory<O> {
  const make = (options: Partial<Widened<O>> = {}): Batching => {
    const all = checked(name, defaults, options as Partial<O>);
    const spec = { name, options: all as Json };
    return Object.freeze({
      spec,
      plan: build(all as Widened<O>) as unknown as BatchingHooks<object>,
      toJSON: () => spec,
    });
  };
  return Object.assign(make, { batching: name, defaults });
}

/** What each kind of decision is called in an error. */
const decisions = {
  batch: "the batch size",
  accumulate: "how many batches make an update",
  most: "how many examples pass at once",
  order: "the order of a pass",
  views: "the views of an example",
  side: "the resolution",
} as const;

/** Throws when two parts of a plan decide the same thing, or one is given twice. */
export function requireOneEach(parts: readonly Batching[]): void {
  for (const [hook, what] of Object.entries(decisions)) {
    const having = parts.filter(({ plan }) => plan[hook as keyof typeof decisions] !== undefined);
    if (having.length > 1)
      throw new TypeError(
        `with: ${having.map(({ spec }) => spec.name).join(" and ")} cannot be combined, each decides ${what}; keep one`,
      );
  }
}
