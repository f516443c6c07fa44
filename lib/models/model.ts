/** What learns: a pure function over a tree of tensors, from a batch of examples to features. */
import type { Json, Kind, Shape } from "../data/dataset.ts";
import { type Rng, tf, type tfLayers } from "../engine/index.ts";
import type { Adapter, AdapterSpec } from "./adapters/adapter.ts";
import type { Filter } from "./filter.ts";
import type { HeadLayer } from "./heads/linear.ts";
import type { Layer } from "./layer.ts";
import type { ParameterKind } from "./parameters.ts";

/** Trained tensors by name; nested by layer. */
export type Params = { readonly [name: string]: tf.Tensor | Params };

/**
 * Looks at the input of a layer with weights and at its output before the activation, and may give another output. `path` is where the
 * layer's tensors lie in the weights: `["model", "2-dense"]`, `["head"]`. `rows` gives what the layer multiplies by its kernel as a matrix,
 * a row for each place of its output: the input of a dense layer, the windows of a convolution.
 */
export type Tap = (path: readonly string[], input: tf.Tensor, output: tf.Tensor, rows: () => tf.Tensor) => tf.Tensor;

/**
 * What a strategy does within the layers of one pass. Paths are those of `Tap`; a layer that this leaves alone gives what it would give.
 */
export interface Within {
  readonly tap?: Tap | undefined;
  /** What a layer with weights multiplies by its kernel in place of `x`: what came in, rounded or masked. */
  readonly into?: ((path: readonly string[], x: tf.Tensor) => tf.Tensor) | undefined;
  /** What a whole layer of a chain gives: `run` is the layer, `at` what it is made of. */
  readonly around?:
    | ((path: readonly string[], x: tf.Tensor, run: (x: tf.Tensor) => tf.Tensor, at: LayerPass) => tf.Tensor)
    | undefined;
  /** The keys and values of a layer of attention, `[n, places, width]` before they go to the heads, with others before or behind, or hidden. */
  readonly attended?: ((path: readonly string[], key: tf.Tensor, value: tf.Tensor) => Attended) | undefined;
  /** Where `x` is a piece of sequences that began before it. */
  readonly piece?: Piece | undefined;
  /** What layers may ask for beside what comes in, by name: a denoiser is told `time` and `label`, `[n]` each. */
  readonly beside?: { readonly [name: string]: tf.Tensor | undefined } | undefined;
}

/** A layer of a chain in a pass, with its parameters, its mode and what layers before it have remembered. */
export interface LayerPass {
  readonly layer: Layer;
  readonly params: Params;
  readonly mode: Mode;
  readonly remembered: Remembered<tf.Tensor>;
}

/** A pass over a piece of sequences, which goes on where the piece before it ended. */
export interface Piece {
  /** How many places layers that look back on places remember, their own among them. */
  readonly context: number;
  /** What a layer that carries a state gives from the state that it left behind. */
  carry(layer: Layer, x: tf.Tensor, params: Params, mode: Mode, remembered?: Remembered<tf.Tensor>): tf.Tensor;
}

/**
 * Keys and values of as many places, which need not be those of the queries, and where some are to be hidden from some, what is added to the scores,
 * `[queries, keys]`.
 */
export type Attended = readonly [key: tf.Tensor, value: tf.Tensor, bias?: tf.Tensor];

/** How a model is being run: in training it may draw noise and write running statistics. */
export interface Mode {
  readonly training: boolean;
  /** Source of noise in training; null where nothing may be random. */
  readonly rng: Rng | null;
  /**
   * At test time: the share of a batch's own statistics, in (0, 1], in those that layers with running ones normalise by and write. Without it
   * they normalise by the running ones and write nothing.
   */
  readonly share?: number | undefined;
  /** A running statistic of this layer as it was before the batch. */
  read(name: string): tf.Tensor;
  /** Gives a running statistic its new value, from the next batch on. */
  write(name: string, value: tf.Tensor): void;
  /** The mode of a part: its statistics and noise are its own. */
  at(part: string): Mode;
  /** What a layer with weights multiplies by its kernel: what came in, or what a strategy or an adapter makes of it. */
  into(x: tf.Tensor): tf.Tensor;
  /**
   * What a layer with weights gives: `output`, or what a strategy that taps the layer makes of it. `rows` are what is multiplied by the
   * kernel, where that is not the input itself.
   */
  tapped(input: tf.Tensor, output: tf.Tensor, rows?: () => tf.Tensor): tf.Tensor;
  /** What a layer of a chain gives: what `run` makes of what came in, or what an adapter makes of the two. */
  around(x: tf.Tensor, run: (x: tf.Tensor) => tf.Tensor, at: LayerPass): tf.Tensor;
  /** The keys and values that a layer of attention looks at: its own, `[n, places, width]`, and what others put beside them. */
  attended(key: tf.Tensor, value: tf.Tensor): Attended;
  /** Where `x` is a piece of sequences that began before it: what carries the states of the layers. */
  readonly piece?: Piece | undefined;
  /** What is told beside what comes in, under a name; undefined where nothing is. */
  beside(name: string): tf.Tensor | undefined;
  /** Adds a scalar to the loss of a training step: what a layer asks of its own, such as experts that are all used. Elsewhere it does nothing. */
  cost(term: tf.Tensor): void;
  /** Whether a strategy taps the layers, or changes what comes into them: those that would hide their products in a loop write them out. */
  readonly isTapped: boolean;
}

/** What layers before have remembered under names, for layers that read it: shapes, tensors, or layers of `tf.layers`. */
export type Remembered<T> = Map<string, T>;

/** What was trained, put on `x` as layers of `tf.layers` whose names begin with `name`. Throws where there is no such layer. */
export type Counterpart = (
  x: tfLayers.SymbolicTensor,
  name: string,
  params: Params,
  statistics: Params,
  remembered?: Remembered<tfLayers.SymbolicTensor>,
) => tfLayers.SymbolicTensor;

/** A row of a model's summary. */
export interface LayerRow {
  readonly layer: string;
  readonly output: Shape;
  readonly parameters: number;
  /** Where the layer's tensors lie in the model's parameters; absent where the model does not say, and of what only joins others. */
  readonly path?: readonly string[];
}

/** A model as plain JSON. */
export interface ModelSpec {
  readonly name: string;
  readonly options?: Json;
  readonly layers?: readonly ModelSpec[];
  /** Its head, where that is not the linear one. */
  readonly head?: { readonly name: string; readonly options: Json };
  /** The trained network that it begins from, where it does not begin anew. */
  readonly from?: Json;
  /** What of it is trained, where that is not all of it; in order. */
  readonly changes?: readonly ModelChange[];
}

/** A head that a model brings from the network that it begins from. */
export interface Start {
  readonly head: Params;
  readonly columns: number;
  /** The names of the columns. */
  readonly classes: readonly string[];
}

/** One word on what is trained: these are not, or only these are, or an adapter is; `still` says that frozen layers do not write running statistics either. */
export type ModelChange =
  | { readonly freeze: Json; readonly still?: boolean }
  | { readonly trainOnly: Json }
  | { readonly adapt: AdapterSpec };

/** Options of `freeze`. */
export interface FreezeOptions {
  /**
   * Whether the frozen layers also use their running statistics as they are and stop writing them, in training too. Default false, as in
   * PyTorch: a frozen normalisation goes on following the data unless it is in evaluation mode.
   */
  readonly still?: boolean;
}

/**
 * What a model is made of; `makeModel` gives it its verbs. `K` is what it accepts.
 *
 * `remembered` is given to a model that is inside of another, which then shares the names of its taps; others have their own.
 */
export interface ModelParts<K extends Kind = Kind> {
  readonly spec: ModelSpec;
  /** What examples it accepts. */
  readonly accepts: readonly K[];
  /** The shape of the features of one example; throws when examples of that shape do not fit. */
  features(input: Shape, remembered?: Remembered<Shape>): Shape;
  /** New trained tensors for examples of the given shape. */
  init(rng: Rng, input: Shape, remembered?: Remembered<Shape>): Params;
  /** New running statistics; empty for most models. */
  statistics(input: Shape, remembered?: Remembered<Shape>): Params;
  /** Features of a batch: `[n, …input] → [n, …features]`. */
  apply(params: Params, x: tf.Tensor, mode: Mode, remembered?: Remembered<tf.Tensor>): tf.Tensor;
  /** The model as layers of `tf.layers`, for saving it as a tfjs model; absent where it cannot be. */
  readonly counterpart?: Counterpart;
  /** One row per layer for examples of the given shape. */
  summary(input: Shape, remembered?: Remembered<Shape>): readonly LayerRow[];
  /** Its layers, where it is layers in a row. */
  readonly stack?: readonly Layer[];
  /** Where the tensors of each of these lie in its parameters: `1-conv`, or a name of its own. */
  readonly names?: readonly string[];
  /** The head that is put on it; default a linear one. */
  readonly head?: HeadLayer;
  /** The trained head that it begins with, as new tensors; absent where the head is drawn. */
  readonly start?: () => Start;
  /** The kind of the parameter at a path in the model's tree, where its layers declare one; by default its name says it. */
  kindOf?(path: readonly string[]): ParameterKind | undefined;
  /** Of a model with adapters: these, with the names of their tensors, in the order in which they were put on. */
  readonly adapters?: readonly { readonly name: string; readonly adapter: Adapter }[];
  /** Of a model with adapters: the model without them, and weights with which it gives the same. Throws where an adapter cannot be merged. */
  unadapted?(params: Params): { readonly model: ModelParts; readonly params: Params };
  toJSON(): ModelSpec;
}

/** A backbone: examples in, features out. The head is added by the stream's scenario. */
export interface Model<K extends Kind = Kind> extends ModelParts<K> {
  /** The same model in which the parameters that a filter selects are not trained; the head's only where the filter names them: "head". */
  freeze(filter: Filter, options?: FreezeOptions): Model<K>;
  /** The same model in which only the parameters that a filter selects are trained, and the head. */
  trainOnly(filter: Filter): Model<K>;
  /** The same model with an adapter on some of its layers; its own parameters are frozen unless the adapter says otherwise. */
  adapt(adapter: Adapter): Model<K>;
}

/** The running statistics a run of the network wrote, in the tree of those it read. */
export interface Tape {
  readonly mode: Mode;
  /** The statistics after the batch: those written, and the others as they were. */
  written(): Params;
  /** What the layers have added to the loss, together; null where they have added nothing. */
  cost(): tf.Scalar | null;
}

/** Makes the mode for one run of a network over the given statistics, with its layers tapped if asked for. */
export function tape(
  training: boolean,
  rng: Rng | null,
  statistics: Params,
  within: Tap | Within = {},
  share?: number,
): Tape {
  const { tap, into, around, attended, piece, beside } =
    typeof within === "function" ? { tap: within } : (within as Within);
  const pathOf = (path: string): string[] => ["model", ...path.split("/").slice(0, -1)];
  const writes = new Map<string, tf.Tensor>();
  const costs: tf.Scalar[] = [];
  const at = (node: Params, path: string, rng: Rng | null): Mode => ({
    training,
    rng,
    share,
    read(name) {
      const found = node[name];
      if (found === undefined)
        throw new Error(`internal: no statistic "${path}${name}"; a layer reads what its statistics() does not make`);
      return found as tf.Tensor;
    },
    write(name, value) {
      writes.set(`${path}${name}`, value);
    },
    at: (part) => at((node[part] ?? {}) as Params, `${path}${part}/`, rng === null ? null : rng.at(part)),
    into: (x) => (into === undefined ? x : into(pathOf(path), x)),
    tapped: (input, output, rows = () => input) =>
      tap === undefined ? output : tap(pathOf(path), input, output, rows),
    around: (x, run, at) => (around === undefined ? run(x) : around(pathOf(path), x, run, at)),
    attended: (key, value) => (attended === undefined ? [key, value] : attended(pathOf(path), key, value)),
    piece,
    beside: (name) => beside?.[name],
    cost(term) {
      if (training) costs.push(tf.reshape(term, []) as tf.Scalar);
    },
    isTapped: tap !== undefined || into !== undefined,
  });
  const collect = (node: Params, path: string): Params =>
    Object.fromEntries(
      Object.entries(node).map(([name, old]) =>
        isTensor(old) ? [name, writes.get(path + name) ?? old] : [name, collect(old, `${path}${name}/`)],
      ),
    );
  return {
    mode: at(statistics, "", rng),
    written: () => collect(statistics, ""),
    cost: () => (costs.length === 0 ? null : costs.reduce((sum, term) => tf.add(sum, term) as tf.Scalar)),
  };
}

function isTensor(node: tf.Tensor | Params): node is tf.Tensor {
  return "dataId" in node;
}

/** How many numbers the tensors of a tree hold. */
export function countParameters(params: Params): number {
  return Object.values(params).reduce((sum, node) => sum + (isTensor(node) ? node.size : countParameters(node)), 0);
}
