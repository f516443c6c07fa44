/** What a layer is, and how one is declared: one file each in `layers/`, every one a method of `net()`. */
import type { Json, Kind, Shape } from "../data/dataset.ts";
import type { Rng, tf, tfLayers } from "../engine/index.ts";
import type { Flow, Part } from "./composite.ts";
import type { Counterpart, LayerRow, Mode, ModelParts, Params, Remembered } from "./model.ts";
import type { ParameterKind } from "./parameters.ts";
import type { Mixing } from "./parts/mixing.ts";

/** A layer with its options filled in. `In` is what it accepts, `Out` what it gives. */
export interface Layer<In extends Kind = Kind, Out extends Kind = Kind> {
  readonly name: string;
  readonly options: Json;
  readonly accepts: readonly In[];
  /** What it gives; "same" when it gives what it got. */
  readonly gives: Out | "same";
  /** The shape of one output; throws when an input of that shape does not fit. */
  shape(input: Shape, remembered?: Remembered<Shape>): Shape;
  init?(rng: Rng, input: Shape, remembered?: Remembered<Shape>): Params;
  statistics?(input: Shape, remembered?: Remembered<Shape>): Params;
  apply(x: tf.Tensor, params: Params, mode: Mode, remembered?: Remembered<tf.Tensor>): tf.Tensor;
  /** Whether it treats each place of a sequence by itself once it is trained; a layer that only keeps the last place does too. */
  readonly byPlace?: boolean;
  /**
   * Of a layer that carries a state along the places of a sequence, from its beginning to its end: what it gives for a piece of sequences,
   * `[n, places, …]`, from the states that are handed to it, and the states after, `[n, …]` each. At first there are none, which is the same as
   * states of zeros. `keep` is `[n, places]`: 0 where a new sequence begins, before which the states are 0 again; else 1. Layers that look back
   * on places remember `mode.piece.context` of them.
   */
  recurs?(
    x: tf.Tensor,
    params: Params,
    mode: Mode,
    states: readonly tf.Tensor[] | null,
    keep: tf.Tensor,
    remembered?: Remembered<tf.Tensor>,
  ): readonly [tf.Tensor, readonly tf.Tensor[]];
  /** Of a layer along a sequence that is linear once its gates are chosen: a pass as attention, for `implicitAttention`. */
  mixes?(x: tf.Tensor, params: Params, mode: Mode): Mixing;
  /** How many places it knows from the beginning of a sequence on; absent where any number. */
  reach?(params: Params): number;
  /** The same layer of `tf.layers` with the same numbers, put on `x`; absent where there is none. */
  readonly counterpart?: Counterpart;
  /** The kind of the parameter at a path in the layer's tree, where its name does not say it: `() => "embedding"`. */
  kindOf?(path: readonly string[]): ParameterKind | undefined;
  /** Of a layer that contains models: these, what passes between them, and a row for each of their layers. */
  readonly parts?: readonly Part[];
  readonly flow?: Flow;
  rows?(input: Shape, remembered: Remembered<Shape>): LayerRow[];
}

/** A function that makes a layer: positional arguments, options last. */
export interface LayerFactory<
  Args extends readonly unknown[],
  In extends Kind,
  Out extends Kind,
  Same extends boolean,
> {
  (...args: Args): Layer<In, Out>;
  readonly layer: string;
  /** Only for types: whether the kind stays what it was. */
  readonly same?: Same;
  /** Of a layer that contains models: makes it again from the options and the models of its record. */
  readonly again?: (options: Json, models: readonly ModelParts[]) => Layer;
}

/** The parts a layer's declaration gives for its arguments. */
export type LayerParts = Pick<Layer, "shape" | "apply"> &
  Partial<Pick<Layer, "init" | "statistics" | "byPlace" | "recurs" | "mixes" | "reach" | "counterpart" | "kindOf">> & {
    readonly options: Json;
  };

/** Declares a layer that turns examples of kind `accepts` into outputs of kind `gives`. */
export function layer<Args extends readonly unknown[], const In extends Kind, const Out extends Kind>(
  name: string,
  kinds: { readonly accepts: readonly In[]; readonly gives: Out },
  build: (...args: Args) => LayerParts,
): LayerFactory<Args, In, Out, false> {
  const make = (...args: Args): Layer<In, Out> => Object.freeze({ name, ...kinds, ...build(...args) });
  return Object.assign(make, { layer: name });
}

/** Declares a layer that leaves the kind of what passes through as it was: an activation, a normalisation, dropout. */
export function sameLayer<Args extends readonly unknown[], const In extends Kind = Kind>(
  name: string,
  build: (...args: Args) => LayerParts,
  accepts: readonly In[] = ["image", "vector", "sequence"] as unknown as readonly In[],
): LayerFactory<Args, In, never, true> {
  const make = (...args: Args): Layer<In, never> =>
    Object.freeze({ name, accepts, gives: "same" as const, ...build(...args) });
  return Object.assign(make, { layer: name });
}

/** Puts a layer of `tf.layers` on `x` and gives it the tensors that were trained; those of them that are undefined it does not have. */
export function put(
  layer: Pick<ReturnType<typeof tfLayers.layers.dense>, "apply" | "setWeights">,
  x: tfLayers.SymbolicTensor,
  weights: readonly (tf.Tensor | Params | undefined)[] = [],
): tfLayers.SymbolicTensor {
  const y = layer.apply(x) as tfLayers.SymbolicTensor;
  layer.setWeights(weights.filter((one) => one !== undefined) as tf.Tensor[]);
  return y;
}

/** Throws unless a number is whole and at least `least`. */
export function requireCount(where: string, what: string, value: number, least = 1): void {
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(`${where}: ${what} must be a whole number of at least ${least}, got ${value}`);
  }
}
