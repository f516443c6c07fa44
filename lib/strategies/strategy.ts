/** How a learner keeps what it knows: one declaration per method, hooks over explicit state. */
import type { Examples, Json, Target } from "../data/dataset.ts";
import { checked, type Options, type Widened } from "../data/options.ts";
import type { Rng, Tree, tf } from "../engine/index.ts";
import type { Params, Tap, Within } from "../models/model.ts";
import type { Network, Weights } from "../models/network.ts";
import { entryOf, isTrained } from "../models/parts/entry.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import type { Experience, Fact, Stream } from "../streams/stream.ts";

export { needOneOf as requireOneOf } from "../data/options.ts";
export { requireNumber, requireWhole } from "./parts/checks.ts";
export { requireCompatible } from "./parts/compatible.ts";

/** Numbers for a tensor that is made when the step runs. */
export interface HostTensor {
  readonly data: Float32Array | Int32Array;
  readonly shape: readonly number[];
}

/** A batch on the host, before it becomes tensors. Its first `current` rows come from the stream, the others from strategies. */
export interface Batch {
  /** Rows as the model sees them, one after the other. */
  readonly x: Float32Array;
  /** The output column of each row. */
  readonly y: Int32Array;
  /** The task of each row. */
  readonly task: Int32Array;
  /** What each row asks for, `[n, columns]`, where the stream asks for numbers or several labels; else null. */
  readonly targets: Float32Array | null;
  /** The weight of each row in the mean loss; null when all count alike. Rows without a label weigh nothing. */
  readonly weight: Float32Array | null;
  readonly current: number;
  /** How many views of each example there are: the current rows are so many rounds of the same examples. Absent where it is one. */
  readonly views?: number;
  /** Which rows, from and to (not included), a strategy has joined for its own hooks, by name. */
  readonly rows: Readonly<Record<string, readonly [from: number, to: number]>>;
  /** The table and the rows in it that the current part was made of, for buffers that keep raw examples. */
  readonly from: Examples;
  readonly at: Uint32Array;
  /** More inputs for a strategy's own hooks, by the strategy's name. */
  readonly extra: Readonly<Record<string, Readonly<Record<string, HostTensor>>>>;
}

/** What comes out of a pass through the network: `[n, …]` features and `[n, columns]` logits of all columns. */
export interface Passed {
  readonly features: tf.Tensor;
  readonly logits: tf.Tensor;
  /** What a strategy's own `forward` hands to its losses. */
  readonly aside?: Readonly<Record<string, tf.Tensor>>;
}

/** What a pass through the network may differ in from the step's own. */
export interface PassOptions extends Within {
  /** Other weights. */
  readonly weights?: Weights;
  /** Running statistics to use as they are, in evaluation mode: for teachers and for weights that are not being trained. */
  readonly frozen?: Params;
  /** `[n]`, the task of each row, where a strategy's own `forward` asks for it. */
  readonly task?: tf.Tensor | null;
}

/** One pass of examples through the network, for a strategy that makes it in its own way. */
export interface Pass {
  readonly network: Network;
  readonly weights: Weights;
  readonly x: tf.Tensor;
  /** `[n]`, whole numbers; null when the stream does not tell. */
  readonly task: tf.Tensor | null;
  readonly training: boolean;
  /** Noise for this pass; null where nothing may be random. */
  readonly rng: Rng | null;
  /** Running statistics before the pass. */
  readonly statistics: Params;
  /** What this strategy put into the batch under its name; empty in evaluation, and where other examples are passed. */
  readonly extra: Step["extra"];
  /**
   * The pass as it would be without the strategy: of other examples (as many), with other weights or with something done within layers; with
   * `frozen` running statistics in evaluation mode, for weights that are not being trained.
   */
  plain(given?: Pick<PassOptions, "weights" | "frozen"> & Within & { readonly x?: tf.Tensor }): Passed;
  plain(weights?: Weights, tap?: Tap): Passed;
}

/** Logits of rows, and what they ask for. */
export type AskedRows = Pick<Step, "logits" | "y" | "targets" | "mask" | "weight">;

/** What one training step looks like to the traced hooks: tensors only. */
export interface Step {
  readonly network: Network;
  readonly weights: Weights;
  /** `[n, …input]`. */
  readonly x: tf.Tensor;
  /** `[n]`, whole numbers: output columns. */
  readonly y: tf.Tensor;
  /** `[n, columns]`: numbers or several labels, where the stream asks for them; else null. */
  readonly targets: tf.Tensor | null;
  /** `[n, columns]` or `[1, columns]`: 1 where a column competes; null when all do. */
  readonly mask: tf.Tensor | null;
  /** `[n]`, or null when all rows count alike. */
  readonly weight: tf.Tensor | null;
  /** How many of the first rows come from the stream. */
  readonly current: number;
  /** Which rows a strategy has joined, by name. */
  readonly rows: Batch["rows"];
  /** `[n]`, whole numbers: the task of each row; null unless a strategy has a `forward` and the stream tells the task. */
  readonly task: tf.Tensor | null;
  /** Running statistics before the step. */
  readonly statistics: Params;
  /** The learning rate of this step: a scalar. */
  readonly rate: tf.Tensor;
  readonly features: tf.Tensor;
  /** Logits of all columns, before masking. */
  readonly logits: tf.Tensor;
  /** What the `forward` of a strategy handed over; empty after the losses. */
  readonly aside: Readonly<Record<string, tf.Tensor>>;
  /** What this strategy put into the batch under its name. */
  readonly extra: Readonly<Record<string, tf.Tensor>>;
  /** Noise for this step. */
  readonly rng: Rng | null;
  /** Another pass through the network, of these or other examples. */
  forward(x: tf.Tensor, options?: PassOptions): Passed;
  /** The mean cross-entropy of rows under a mask, weighted if weights are given. */
  crossEntropy(logits: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null, weight?: tf.Tensor | null): tf.Scalar;
  /** What the stream asks of the learner for an example. */
  readonly target: Target;
  /** The mean loss by what the stream asks for, of the batch as it is where no strategy has a `taskLoss`, or of other rows. */
  targetLoss(of?: AskedRows): tf.Scalar;
  /** `[n]`: the same for each row, over the places where something is asked for. */
  targetLosses(of?: AskedRows): tf.Tensor;
  /** The gradient of another scalar function of the weights. */
  gradient(loss: (weights: Weights) => tf.Tensor): Weights;
}

/** What a prediction may be made of. */
export interface Prediction {
  readonly network: Network;
  readonly weights: Weights;
  readonly x: tf.Tensor;
  readonly features: tf.Tensor;
  readonly logits: tf.Tensor;
  /** A pass in evaluation mode with other weights. */
  forward(x: tf.Tensor, options?: PassOptions): Passed;
}

/** What learning at test time sees: a batch without labels that is about to be predicted. Never rows of padding. */
export interface Unlabelled {
  readonly network: Network;
  /** The weights and running statistics now: what was trained, as far as earlier batches have changed it. */
  readonly weights: Weights;
  readonly statistics: Params;
  /** `[n, …input]`. */
  readonly x: tf.Tensor;
  /** `[1, columns]`: 1 where a column competes by the stream's own rule; null when all do. */
  readonly mask: tf.Tensor | null;
  readonly rng: Rng;
  /**
   * A pass in evaluation mode. With `share` the layers that keep running statistics normalise by a mean of these and the batch's own, of
   * which the batch's are that share, and `statistics` are these means.
   */
  forward(x: tf.Tensor, options?: PassOptions & { readonly share?: number }): Passed & { readonly statistics: Params };
}

/** What learning at test time has made of a batch; what is left out stays as it was. */
export interface Adapted {
  readonly weights?: Weights;
  readonly statistics?: Params;
  readonly carried?: Tree;
  /** The prediction, `[n, columns]`. Without it the batch is predicted anew with the weights and statistics given here. */
  readonly logits?: tf.Tensor;
}

/**
 * When an adapted network becomes again what was trained: before every batch, before every task, before every round of evaluations, or
 * never. Then it takes the place of what was trained, and training goes on from it.
 */
export type Reset = (typeof resets)[number];
export const resets = ["batch", "task", "round", "never"] as const;

/** How a strategy learns at test time. */
export interface Adapting {
  /** Test examples that arrive at once. The last of a task may be fewer. */
  readonly batch: number;
  readonly reset: Reset;
  /** Whether the examples of a task arrive in random order rather than that of their table, which is often by class. */
  readonly shuffle: boolean;
}

/** What host hooks may ask for. */
export interface Context {
  /** The strategy's own randomness; draw from `rng.at(…)` so that a resumed run draws the same. */
  readonly rng: Rng;
  readonly stream: Stream;
  readonly network: Network;
  /** Output columns at present. */
  readonly columns: number;
  /** Examples per batch, and passes over an experience. */
  readonly batch: number;
  readonly epochs: number;
  /** The experience being learnt, from 0. */
  readonly experience: number;
  /** Updates so far. */
  readonly step: number;
  /** The weights and running statistics now: read them, do not dispose them. */
  readonly weights: Weights;
  readonly statistics: Params;
  /** The mask rows of examples of the given tasks, `[n, columns]` or `[1, columns]`; null when all columns compete. */
  mask(tasks: Int32Array): HostTensor | null;
  /** Features and logits of a table in evaluation mode, row after row, with these or other weights. */
  outputs(examples: Examples, weights?: Weights): { readonly features: Float32Array; readonly logits: Float32Array };
}

/**
 * A strategy's state: a plain object. `tensors` in it are inputs of the traced hooks, `carried` are tensors that `update` changes at
 * every step; the rest is plain data (numbers, typed arrays, Map, Set), which traced hooks must not read. Tensors that a returned state
 * no longer has are freed by the run.
 *
 * What `beforeExperience` and `afterExperience` return may also say what the run is to do now, which is not kept: `weights` puts
 * others in place of the network's, `restart` makes the optimizer's state anew, `notes` are said in the run's events.
 */
export type State = object & {
  readonly tensors?: Tree | undefined;
  readonly carried?: Tree | undefined;
  readonly weights?: Weights | undefined;
  readonly restart?: boolean | undefined;
  readonly notes?: readonly string[] | undefined;
};

/** What comes back to the host after a step, for a strategy that asked with `outputs`. */
export interface Done {
  readonly batch: Batch;
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

/** A deletion request: all columns that were asked to be forgotten so far, as a set, and what is new in it. */
export interface Request extends ReadonlySet<number> {
  /** The columns that are asked for now. */
  readonly columns: ReadonlySet<number>;
  /** The training examples of these columns that came before, by the experience they came in; read when they are asked for. */
  readonly experiences: readonly { readonly index: number; readonly task: number; readonly examples: Examples }[];
  /** All of them as one table. */
  readonly examples: Examples;
}

/** What a step did. */
export interface Change {
  /** The weights that the gradient was taken at, and those after the update. */
  readonly before: Weights;
  readonly after: Weights;
  /** The gradient of the whole loss as it came, and as the optimizer saw it after strategies had changed it. */
  readonly slope: Weights;
  readonly gradient: Weights;
}

/** The hooks of a strategy; all are optional. Those marked *traced* are compiled with the training step and see tensors only. */
export interface Hooks<S extends object> {
  /**
   * What the method is, where a run can have only one such: a penalty on weights by their importance, a projection of the gradient. How
   * much a projection changes is told at every step.
   */
  readonly role?: "importance" | "projection";
  /** Whether it cuts the gradient to a size, after which a projection would no longer hold. */
  readonly clips?: boolean;
  /** Whether it also serves streams that ask for a class at each place of a sequence, else why not, in a few words; and whether it serves these alone. */
  readonly tokens?: boolean | string;
  readonly tokensAlone?: boolean;
  /** Whether it serves no streams that ask for numbers or several labels: it knows one class for each example. */
  readonly classes?: boolean;
  /** Whether it works within blocks of attention, which the model must then have. */
  readonly attention?: boolean;
  /** Whether it works on products of two factors, which the model must then have. */
  readonly factors?: boolean;
  /** Whether it works on a denoiser, which the model must then be. */
  readonly denoiser?: boolean;
  /** Whether it trains the parameter at a path of the weights (`model/…`, `head/…`, `added/…`): the others have no gradient and stay bit for bit. */
  trains?(path: string): boolean;
  /**
   * Whether `forward` and `predict` treat every row by itself. Then the last rows of a table may be evaluated with rows of zeros beside them,
   * so that few programs are compiled. Without it they only ever see examples, and the last batch of a table is smaller.
   */
  readonly rowwise?: boolean;
  /** Tensors that are trained with the network, as `weights.added[name]`. Called once, before `init`. */
  parameters?(context: Context): Params;
  /** State at the start of the run. */
  init?(context: Context): S;
  /**
   * The table to train on in place of the experience's own; null skips the experience. Called after `beforeExperience`, and again when
   * a saved run goes on: it must not change the state.
   */
  data?(state: S, experience: Experience, context: Context): Examples | null;
  /** Learns the experience in closed form, in place of gradient descent. */
  learn?(state: S, experience: Experience, context: Context): S;
  beforeExperience?(state: S, experience: Experience, context: Context): S;
  /** Changes a batch before the step. Runs ahead of the steps, so it must not read the weights; it may change the state's plain data in place. */
  batch?(state: S, batch: Batch, context: Context): Batch;
  /** *Traced.* The pass through the network, in place of the plain one, in training and evaluation. */
  forward?(state: S, pass: Pass): Passed;
  /** *Traced.* The loss of the task in place of the mean cross-entropy; what is asked for the past's sake belongs in `loss`, whose size is told. */
  taskLoss?(state: S, step: Step): tf.Scalar;
  /** *Traced.* A term added to the task's loss. */
  loss?(state: S, step: Step): tf.Scalar;
  /** *Traced.* Changes the gradient before the optimizer sees it. */
  gradient?(state: S, gradient: Weights, step: Step): Weights;
  /** *Traced.* Changes the weights after the optimizer has moved them: freezing, resetting, shrinking. */
  weights?(state: S, change: Change, step: Step): Weights;
  /** *Traced.* The next `carried` tensors. */
  update?(state: S, change: Change, step: Step): Tree;
  /** *Traced.* Tensors that `afterStep` wants to see on the host. */
  outputs?(state: S, step: Step): Readonly<Record<string, tf.Tensor>>;
  /** Runs on the host after every step, so steps cannot be taken many at a time. May change the state's plain data in place. */
  afterStep?(state: S, done: Done, context: Context): void;
  afterExperience?(state: S, experience: Experience, context: Context): S;
  /**
   * Serves a deletion request of the stream: drops what is held of the columns, which are the request itself as a set, or changes the
   * weights; before `beforeExperience`. Without it the `buffer`, `episodes` and `exemplars` of the state lose their examples of these
   * columns. `context.stream` no longer has any: the request alone has the examples, for as long as it is served.
   */
  forget?(state: S, request: Request, context: Context): S;
  /**
   * *Traced.* Learning at test time. Each batch of test examples is shown once, before it is predicted: what it has changed predicts this
   * batch, unless it gives the prediction itself, and all that come until the next reset. Training never sees it unless `reset` is "never".
   */
  adapt?(state: S, batch: Unlabelled): Adapted;
  /** How test examples arrive, for `adapt`. */
  readonly adapting?: Adapting;
  /** *Traced.* Logits of all columns in place of the head's. */
  predict?(state: S, given: Prediction): tf.Tensor;
}

/** A strategy as plain JSON. */
export interface StrategySpec {
  readonly name: string;
  readonly options: Json;
}

/** A method with its options filled in. `Needs` are the facts that a stream must tell. */
export interface Strategy<Needs extends Fact = Fact> {
  readonly spec: StrategySpec;
  readonly needs: readonly Needs[];
  readonly hooks: Hooks<State>;
  toJSON(): StrategySpec;
}

/** Options of a strategy: JSON, or a trained network or a list of some, which stand in JSON as their checksums. */
export type StrategyOptions = {
  readonly [name: string]: Json | TrainedNetwork | readonly TrainedNetwork[] | undefined;
};

/** A function that makes a strategy from options. */
export interface StrategyFactory<O extends StrategyOptions, Needs extends Fact> {
  (options?: Partial<Widened<O>>): Strategy<Needs>;
  /** The method's name, which is also its file's. */
  readonly strategy: string;
  readonly defaults: O;
  readonly needs: readonly Needs[];
}

/**
 * Declares a strategy: its name, its options with their defaults, its hooks, and what a stream must tell it.
 *
 * Implements: P092 SequeL
 *
 * @example
 * ```ts
 * import { strategy, tf } from "thalweg";
 * const smallLogits = strategy("smallLogits", { weight: 0.01 }, ({ weight }) => ({
 *   loss: (_state, step) => tf.mul(tf.mean(tf.square(step.logits)), weight),
 * }));
 * smallLogits({ weight: 0.1 }).spec; // { name: "smallLogits", options: { weight: 0.1 } }
 * ```
 */
export function strategy<O extends StrategyOptions, S extends object, const Needs extends Fact = never>(
  name: string,
  defaults: O,
  build: (options: Widened<O>) => Hooks<S>,
  needs: readonly Needs[] = [],
): StrategyFactory<O, Needs> {
  const make = (options: Partial<Widened<O>> = {}): Strategy<Needs> => {
    const all = checked(name, defaults as Options, options as Partial<Options>);
    const spec = { name, options: recorded(all) };
    return Object.freeze({
      spec,
      needs,
      hooks: build(all as unknown as Widened<O>) as unknown as Hooks<State>,
      toJSON: () => spec,
    });
  };
  return Object.assign(make, { strategy: name, defaults, needs });
}

/** Options as they stand in JSON. */
function recorded(options: Options): Json {
  const entry = (value: unknown): Json => (isTrained(value) ? entryOf(value) : (value as Json));
  const some = (value: unknown): boolean => isTrained(value) || (Array.isArray(value) && value.some(isTrained));
  const entries = Object.entries(options as StrategyOptions);
  if (!entries.some(([, value]) => some(value))) return options as Json;
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.map(entry) : entry(value)]),
  );
}
