/** A trained network as a value: what it predicts, what it is made of, and how others take it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Json, Shape, Target } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import {
  cloneTree,
  disposeTree,
  exportOnnx,
  leaves,
  modelFiles,
  type Tree,
  tf,
  type tfLayers,
} from "../engine/index.ts";
import { layersModel } from "./layers-model.ts";
import { countParameters, type LayerRow, type Model, type Params, tape } from "./model.ts";
import { type Network, network, type Weights } from "./network.ts";
import { type Answer, answersOf } from "./parts/answers.ts";
import { flopsByLayer } from "./parts/flops.ts";
import { fingerprint, hostTree } from "./parts/host.ts";
import {
  batchesOf,
  type InputOptions,
  type InputRules,
  inBatches,
  type NetworkInput,
  rowsAtOnce,
} from "./parts/inputs.ts";
import type { ClassifyOptions, OnnxOptions, PredictOptions, TaskOptions } from "./parts/predict-options.ts";

export type { Answer } from "./parts/answers.ts";
export type { NetworkInput } from "./parts/inputs.ts";
export type { ClassifyOptions, OnnxOptions, PredictOptions, TaskOptions } from "./parts/predict-options.ts";

/** How strategies predict in place of the network alone. */
export interface Predicting {
  /** Those that predict or make the pass. */
  readonly strategies: readonly { readonly name: string; readonly options: Json }[];
  /** What they hold: trees of tensors, by name. */
  readonly states: { readonly [strategy: string]: Tree };
  /** `[n, …input] → [n, columns]` logits of all columns. */
  predict(
    weights: Weights,
    statistics: Params,
    states: Predicting["states"],
    x: tf.Tensor,
    task: number | null,
  ): tf.Tensor;
}

/** What a trained network is made of. */
export interface TrainedParts {
  /** The model, with a head of its own or the linear one. */
  readonly model: Model;
  /** The shape of one example. */
  readonly input: Shape;
  /** The trained tensors: `model`, `head`, and those that strategies trained beside them. */
  readonly weights: Weights;
  /** Running statistics; default new ones. */
  readonly statistics?: Params;
  /** What bytes are multiplied by before the network sees them; default 1. */
  readonly scale?: number;
  /** Whether the data set has bytes; default where there is a scale. */
  readonly bytes?: boolean;
  /** What it gives for an example: one class (the default), numbers, several labels, or a token at each place. */
  readonly target?: Target;
  /** A name for each column of the head; default "0", "1", … */
  readonly classes?: readonly string[];
  /** How the columns are used: all at once (the default), those of the task, or those met so far. */
  readonly scenario?: "single" | "multi" | "growing";
  /** The columns in use, ascending, where that is not all of them: of a head that grows, those met. */
  readonly met?: readonly number[];
  /** The columns of each task, or what tells them where tasks never end; default one task with all columns. */
  readonly tasks?: readonly (readonly number[])[] | ((task: number) => readonly number[]);
  /** How strategies predict, where they do. */
  readonly predicting?: Predicting;
  /** Whether the task must be told to predict; default where the scenario is "multi". */
  readonly told?: boolean;
  /** Where it was loaded from. */
  readonly file?: string;
}

/** A row of a network's summary: a layer, its output, and what an example costs there. */
export interface NetworkRow extends LayerRow {
  /** Multiplications and additions for one example; absent where the layer does not say which weights are its own. */
  readonly flops?: number;
}

/**
 * A trained network. It takes what a person has: tables of a data set or of a stream, numbers nested or flat, files of images (`NetworkInput`
 * says how they are scaled); and tensors as the network sees them, `[n, …input]`, bytes multiplied by the table's `scale` (1/255 for images).
 * What the stream's operators do to examples (rotate, permute) is done already: `stream.test(0).examples` has it. It gives logits, one column
 * per class, or answers.
 */
export interface TrainedNetwork {
  readonly model: Model;
  /** The model with its head: the functions that the weights belong to. */
  readonly structure: Network;
  /** The shape of one example. */
  readonly input: Shape;
  /** What bytes are multiplied by before the network sees them. */
  readonly scale: number;
  /** The trained tensors; they belong to the network. */
  readonly weights: Weights;
  /** Running statistics; they belong to the network. */
  readonly statistics: Params;
  /** A name for each column of the head. */
  readonly classes: readonly string[];
  /** Everything it was made of, to make another: `trained({ ...network.parts, weights })`. */
  readonly parts: TrainedParts;
  /** How many trained numbers it has. */
  readonly parameters: number;
  /** Bytes of its weights and statistics. */
  readonly bytes: number;
  /** Multiplications and additions of one example's way through the layers with weights, the head included. */
  readonly flops: number;
  /** A fingerprint of all its numbers. */
  readonly checksum: string;
  /** One row per layer, the head last. */
  summary(): readonly NetworkRow[];
  /** The class of each column of the logits: of the task, of the classes met where the head grows, else all. */
  columns(options?: TaskOptions): readonly number[];
  /**
   * `[n, …input] → [n, columns]` logits, batch normalisation as at test time, and as the run's strategies predict. What is given stays the
   * caller's, and so do the logits.
   */
  predict(x: NetworkInput, options?: PredictOptions): tf.Tensor;
  /**
   * The answers by name, most probable first: one class of each example, or the `top` ones; several labels; numbers; the token that comes
   * next at each place. Probabilities are the softmax (for several labels the sigmoid) of the logits of the columns that compete.
   */
  classify(x: NetworkInput, options?: ClassifyOptions): readonly Answer[];
  /** `[n, …input] → [n, …features]`: what the head gets. */
  features(x: NetworkInput, options?: InputOptions): tf.Tensor;
  /** Another network with some parts changed; this one stays as it is. What is given is copied. */
  with(changes: Partial<TrainedParts>): TrainedNetwork;
  /** The network as an ONNX model for any batch size, with what the strategies do when they predict. */
  toOnnx(options?: OnnxOptions): Uint8Array;
  /** The network as a model of `tf.layers`; throws where a layer, or how a strategy predicts, has no counterpart there. */
  toLayers(options?: TaskOptions): tfLayers.LayersModel;
  /** Writes `toOnnx` to a file: `importOnnx` and other programs read it. */
  saveOnnx(file: string, options?: OnnxOptions): void;
  /** Writes `toLayers` to a folder, as `model.json` and `weights.bin`: `tf.loadLayersModel` reads them. */
  saveTfjs(folder: string, options?: TaskOptions): Promise<void>;
  /** What stands for it in the JSON of a study: its checksum, and the file it was loaded from. */
  toJSON(): NetworkEntry;
  /** Frees its tensors. */
  dispose(): void;
}

/** What stands for a network in JSON. A type, so that it is JSON. */
export type NetworkEntry = { readonly network: string; readonly file?: string };

/**
 * Makes a trained network of its parts, without a run: what functions from networks to networks give. The tensors are copied; those that
 * were given stay the caller's.
 *
 * @throws RangeError when the weights do not have as many columns as there are class names.
 *
 * @example
 * ```ts
 * import { mlp, network, random, tf, trained } from "thalweg";
 * const weights = network(mlp({ hidden: [8] }), [4]).init(random(0), 3);
 * const made = trained({ model: mlp({ hidden: [8] }), input: [4], weights, classes: ["a", "b", "c"] });
 * made.predict(tf.zeros([2, 4])).shape; // [2, 3]
 * made.parameters; // 67
 * made.flops; // 112
 * ```
 */
export function trained(given: TrainedParts): TrainedNetwork {
  const { model, input, scale = 1, scenario = "single", target = "class", predicting, file } = given;
  const structure = network(model, input);
  const count = columnsOf(structure, given.weights);
  const { classes = Array.from({ length: count }, (_, i) => `${i}`) } = given;
  if (classes.length !== count)
    throw new RangeError(
      `trained: a name for each of the head's ${count} columns is required, got ${classes.length}; name them all`,
    );
  const held = kept({
    weights: given.weights,
    statistics: given.statistics,
    states: predicting?.states ?? {},
  });
  const weights = held.weights;
  const statistics = held.statistics ?? (kept(tf.tidy(() => model.statistics(input) as never)) as Params);
  const told = given.told ?? scenario === "multi";
  const { tasks = [Array.from({ length: count }, (_, i) => i)] } = given;

  function classesOf(task: number): readonly number[] {
    const found = typeof tasks === "function" ? tasks(task) : tasks[task];
    if (found !== undefined) return found;
    throw new RangeError(`network: a task from 0 to ${tasks.length - 1} is required, got ${task}`);
  }

  function columns({ task }: TaskOptions = {}): readonly number[] {
    if (told && task === undefined)
      throw new TypeError(
        `network: a task is required where the network is told it, got none; name one of the ${typeof tasks === "function" ? Infinity : tasks.length}: { task: 0 }`,
      );
    const ofTask = task === undefined ? [] : classesOf(task);
    if (scenario === "multi") return ofTask;
    return given.met ?? Array.from({ length: count }, (_, i) => i);
  }

  const rules: InputRules = {
    input,
    scale,
    bytes: given.bytes ?? scale !== 1,
    target,
    classes,
    free: model.accepts.includes("sequence"),
  };

  const through = (x: tf.Tensor): tf.Tensor => structure.features(weights, x, tape(false, null, statistics).mode);

  function features(x: NetworkInput, options: InputOptions = {}): tf.Tensor {
    return inBatches(batchesOf(x, rules, options), (batch) => tf.tidy(() => through(batch)));
  }

  function predict(x: NetworkInput, options: PredictOptions = {}): tf.Tensor {
    columns(options); // a task that is missing is said first
    return inBatches(batchesOf(x, rules, options), (batch) => logitsOf(batch, options));
  }

  function classify(x: NetworkInput, options: ClassifyOptions = {}): Answer[] {
    if (options.top !== undefined) needWhole("classify", "top", options.top);
    const names = columns(options).map((column) => classes[column]!);
    const batches = batchesOf(x, rules, options);
    const found: Answer[] = [];
    for (let from = 0; from < batches.length; from += rowsAtOnce) {
      const logits = tf.tidy(() =>
        logitsOf(batches.tensor(from, Math.min(rowsAtOnce, batches.length - from)), options),
      );
      const rows = logits.shape[0]!;
      const places = logits.size / names.length / rows;
      found.push(...answersOf(target, logits.dataSync() as Float32Array, names, from, places, options.top));
      logits.dispose();
      if (batches.given !== undefined) break;
    }
    return found;
  }

  function logitsOf(x: tf.Tensor, { task }: TaskOptions): tf.Tensor {
    const wanted = columns({ task } as TaskOptions);
    return tf.tidy(() => {
      const logits =
        predicting === undefined
          ? structure.logits(weights, through(x))
          : predicting.predict(weights, statistics, held.states, x, told ? task! : null);
      const all = wanted.length === logits.shape.at(-1) && wanted.every((column, i) => column === i);
      return all ? logits : tf.gather(logits, tf.tensor1d([...wanted], "int32"), logits.rank - 1);
    });
  }

  /** The outputs of what is saved. */
  function outputs(options: TaskOptions): readonly TaskOptions[] {
    if (options.task !== undefined || !told) return [options];
    if (typeof tasks !== "function") return tasks.map((_, task) => ({ task }));
    throw new TypeError("network: a task is required of a stream that never ends, got none; name it: { task: 0 }");
  }

  const parts: TrainedParts = {
    ...given,
    weights,
    statistics,
    classes,
    ...(predicting === undefined ? {} : { predicting: { ...predicting, states: held.states } }),
  };
  let checksum: string | undefined;
  let work: ReadonlyMap<string, number> | undefined;
  const flopsOf = (): ReadonlyMap<string, number> => (work ??= flopsByLayer(structure, weights));
  const own: TrainedNetwork = {
    model,
    structure,
    input,
    scale,
    weights,
    statistics,
    classes,
    parts,
    columns,
    predict,
    classify,
    features,
    get parameters() {
      return countParameters(weights as Params);
    },
    get bytes() {
      return leaves([weights, statistics] as unknown as Tree).reduce(
        (sum, t) => sum + t.size * tf.util.bytesPerElement(t.dtype),
        0,
      );
    },
    get flops() {
      return [...flopsOf().values()].reduce((sum, flops) => sum + flops, 0);
    },
    get checksum() {
      checksum ??= fingerprint(hostTree({ weights, statistics, states: held.states }));
      return checksum;
    },
    summary() {
      const work = flopsOf();
      const rows = model
        .summary(input)
        .map((row) => ({ ...row, ...(row.path && { flops: within(work, ["model", ...row.path]) }) }));
      const head = {
        layer: `head: ${structure.head.spec.name}`,
        output: [count],
        parameters: countParameters(weights.head),
      };
      return [...rows, { ...head, flops: within(work, ["head"]) }];
    },
    with: (changes) => trained({ ...withoutFile(parts), ...changes }),
    toOnnx({ packing, ...options } = {}) {
      const wanted = outputs(options);
      const example = tf.zeros([1, ...input]);
      try {
        return exportOnnx((x) => wanted.map((each) => predict(x!, each)), [example], {
          name: model.spec.name,
          batch: "any",
          ...(packing && { packing }),
        });
      } finally {
        example.dispose();
      }
    },
    toLayers(options = {}) {
      if (predicting !== undefined)
        throw new TypeError(
          `layersModel: strategies that leave the prediction to the network are required, got ${predicting.strategies.map((s) => s.name).join(", ")}, which predicts in its own way; save the network as ONNX`,
        );
      const named = outputs(options).map((each) => ({
        name: each.task === undefined ? "logits" : `task-${each.task}`,
        columns: columns(each),
      }));
      return layersModel(structure, weights, statistics, named);
    },
    saveOnnx(path, options) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, own.toOnnx(options));
    },
    async saveTfjs(folder, options) {
      const made = own.toLayers(options);
      try {
        await made.save(modelFiles(folder));
      } finally {
        made.dispose();
      }
    },
    toJSON: () => ({ network: own.checksum, ...(file === undefined ? {} : { file }) }),
    dispose: () => disposeTree([weights, statistics, held.states] as unknown as Tree),
  };
  const text = (): string =>
    `${model.spec.name} over [${input}], ${count} columns: ${own.parameters} parameters, ${own.bytes} bytes, ${own.flops} FLOPs for one example`;
  Object.defineProperties(own, {
    [Symbol.for("Jupyter.display")]: { value: () => ({ "text/plain": text() }) },
    [Symbol.for("nodejs.util.inspect.custom")]: { value: text },
  });
  return Object.freeze(own);
}

/** How many columns a head with these weights gives. */
function columnsOf({ head, width }: Network, weights: Weights): number {
  const shape: number[] = [];
  tf.tidy(() => void shape.push(...head.apply(weights.head, tf.zeros([1, ...width]), weights.model).shape));
  return shape.at(-1)!;
}

/** What some layers at a path and below take. */
function within(work: ReadonlyMap<string, number>, path: readonly string[]): number {
  const at = path.join("/");
  return [...work].reduce((sum, [name, flops]) => (name === at || name.startsWith(`${at}/`) ? sum + flops : sum), 0);
}

/** A network that was changed is not the one in the file. */
function withoutFile({ file: _, ...parts }: TrainedParts): TrainedParts {
  return parts;
}

/** A copy that no `tidy` around it frees. */
function kept<X>(tree: X): X {
  const copy = cloneTree(tree);
  for (const leaf of leaves<unknown>(copy)) if (leaf instanceof tf.Tensor) tf.keep(leaf);
  return copy;
}
