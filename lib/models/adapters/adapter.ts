/** Small trained parts that change what a network's layers answer, without changing the network's code; one file each in `adapters/`. */
import type { Json, Shape } from "../../data/dataset.ts";
import { checked, needOneOf, type Options, type Widened } from "../../data/options.ts";
import type { Rng, tf } from "../../engine/index.ts";
import { type Filter, filterJson } from "../filter.ts";
import type { LayerPass, Mode, Params, Remembered } from "../model.ts";

/** A layer with weights that an adapter is put on. */
export interface Site {
  /** Where the layer's tensors lie in the model's: "2-dense", "3-transformer/query". */
  readonly path: string;
  /** The shapes of what comes in and of what goes out before the activation, for one example: `[n, …]` with n = 1. */
  readonly input: Shape;
  readonly output: Shape;
  /** The layer's own tensors. */
  readonly layer: Params;
  /** Which of the layers that it is put on this is, from 0, in the order in which examples pass, and how many there are. */
  readonly place: number;
  readonly places: number;
}

/**
 * What an adapter does at each of its layers. `own` are the tensors that it made for the layer, and those that its layers share; `memory` is
 * what it has remembered in this pass of the examples, for layers that come later.
 */
export interface AdapterParts {
  /** New tensors for a layer; none where it leaves the layer alone. */
  init(rng: Rng, site: Site): Params;
  /** New tensors that all its layers share; they lie at the model's root, `adapters/lotr/left`. */
  shared?(rng: Rng, sites: readonly Site[]): Params;
  /** The names of those of its tensors that are never trained. */
  readonly fixed?: readonly string[];
  /** What the layer multiplies by its kernel in place of what came in. */
  input?(own: Params, x: tf.Tensor): tf.Tensor;
  /** What the layer gives, from what came in and what it would give before the activation. */
  output?(own: Params, input: tf.Tensor, output: tf.Tensor, mode: Mode, memory: Remembered<tf.Tensor>): tf.Tensor;
  /** Of the keys and values of attention, `[n, places, width]`: these with others before them. */
  join?(own: Params, sequence: tf.Tensor): tf.Tensor;
  /**
   * The layer's tensors in place of its own; the very `layer` where `output` does it. An adapter that has this alone is also put on layers
   * whose outputs nobody sees, as normalisations; these have the shapes [] in `Site`.
   */
  weights?(own: Params, layer: Params): Params;
  /**
   * What a whole layer gives: `run` is the layer, `at` what it is made of. An adapter that has it is put on layers of the chain, also those
   * without weights; where it shares tensors, on those for which it makes none too.
   */
  around?(
    own: Params,
    x: tf.Tensor,
    run: (x: tf.Tensor) => tf.Tensor,
    memory: Remembered<tf.Tensor>,
    at: LayerPass,
  ): tf.Tensor;
  /** The tensors with which the layer alone gives what layer and adapter give; by default those of `weights`. Without either it stays. */
  merge?(own: Params, layer: Params): Params;
}

/** An adapter with its options filled in. */
export interface Adapter extends AdapterParts {
  readonly spec: AdapterSpec;
  /** The layers that it is put on: those with a parameter that this selects. */
  readonly on: Filter;
  toJSON(): AdapterSpec;
}

/** An adapter as plain JSON. */
export type AdapterSpec = { readonly name: string; readonly options: { readonly [option: string]: Json } };

/** Options that every adapter has. */
export interface AdapterOptions {
  /** The layers that it is put on: those with a parameter that this selects. */
  readonly on?: Filter;
  /** What is trained with the head: the adapter alone, with the parameters of the model frozen (the default), or all. */
  readonly train?: "adapter" | "all";
}

/** A function that makes an adapter from options. */
export interface AdapterFactory<O extends Options> {
  (options?: Partial<Widened<O>> & AdapterOptions): Adapter;
  readonly adapter: string;
  readonly defaults: O;
}

/**
 * Declares an adapter: its name, its options with their defaults, the layers it is put on by default, and what it does there.
 *
 * @example
 * ```ts
 * import { adapter, mlp, tf } from "thalweg";
 * const shift = adapter("shift", {}, "*", () => ({
 *   init: (_rng, { output }) => ({ shift: tf.zeros([output.at(-1)!]) }),
 *   output: (own, _input, output) => tf.add(output, own.shift as tf.Tensor),
 * }));
 * mlp().adapt(shift({ on: "2-dense" })).toJSON().changes; // [{ adapt: { name: "shift", options: { on: "2-dense", train: "adapter" } } }]
 * ```
 */
export function adapter<O extends Options>(
  name: string,
  defaults: O,
  on: Filter,
  build: (options: Widened<O>) => AdapterParts,
): AdapterFactory<O> {
  const make = ({ on: given = on, train = "adapter", ...own }: Partial<Widened<O>> & AdapterOptions = {}): Adapter => {
    const all = checked(name, defaults, own as unknown as Partial<O>);
    needOneOf(name, "train", train, ["adapter", "all"]);
    const where = filterJson(name, given);
    const spec: AdapterSpec = { name, options: { ...(all as { readonly [option: string]: Json }), on: where, train } };
    return Object.freeze({ spec, on: where as Filter, ...build(all as unknown as Widened<O>), toJSON: () => spec });
  };
  return Object.assign(make, { adapter: name, defaults });
}
