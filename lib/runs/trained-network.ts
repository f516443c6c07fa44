/** What a run has trained, as a value: it predicts, and saves itself for other programs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { decode, disposeTree, exportOnnx, modelFiles, type Tree, tf, type tfLayers } from "../engine/index.ts";
import { layersModel } from "../models/layers-model.ts";
import { network } from "../models/network.ts";
import { evaluator } from "../train/evaluate.ts";
import { frozenOf } from "../train/held.ts";
import type { RunSpec } from "../train/spec.ts";
import type { Saved } from "../train/state.ts";

/** For which task a network predicts. */
export interface TaskOptions {
  /**
   * The task, from 0: required to predict where each task has a head of its own, or a strategy is told the task. Without it, what is saved
   * has one output for each task of the stream, in their order.
   */
  readonly task?: number;
}

/**
 * A trained network. It takes examples as the stream gives them: `[n, …input]`, bytes multiplied by the table's `scale` (1/255 for images),
 * and whatever the stream's operators do to them (rotate, permute, normalise) done already. It gives logits, one column per class.
 */
export interface TrainedNetwork {
  /** The shape of one example. */
  readonly input: readonly number[];
  /** The class of each column of the logits: of the task, of the classes met where the head grows, else all. */
  columns(options?: TaskOptions): readonly number[];
  /** `[n, …input] → [n, columns]` logits, batch normalisation as at test time, and as the run's strategies predict. */
  predict(x: tf.Tensor, options?: TaskOptions): tf.Tensor;
  /** The network as an ONNX model for any batch size, with what the strategies do when they predict. */
  toOnnx(options?: TaskOptions): Uint8Array;
  /** The network as a model of `tf.layers`; throws where a layer, or how a strategy predicts, has no counterpart there. */
  toLayers(options?: TaskOptions): tfLayers.LayersModel;
  /** Writes `toOnnx` to a file: `importOnnx` and other programs read it. */
  saveOnnx(file: string, options?: TaskOptions): void;
  /** Writes `toLayers` to a folder, as `model.json` and `weights.bin`: `tf.loadLayersModel` reads them. */
  saveTfjs(folder: string, options?: TaskOptions): Promise<void>;
  /** Frees its tensors. */
  dispose(): void;
}

/**
 * The network in a saved state of a run (`Fitting.save`, `Instant.state`); `run.network()` is that of a finished one.
 *
 * @example
 * ```ts
 * import { mkdtempSync, readFileSync } from "node:fs";
 * import { blobs, classes, importOnnx, mlp, modelFiles, tf, tfLayers } from "thalweg";
 * const run = await classes(blobs()).split(2).learn(mlp({ hidden: [8] })).run({ quiet: true, record: false });
 * const network = await run.network();
 * const folder = mkdtempSync("/tmp/network-");
 * network.saveOnnx(`${folder}/network.onnx`);
 * await network.saveTfjs(folder);
 * const x = tf.zeros([3, ...network.input]);
 * const [onnx] = importOnnx(readFileSync(`${folder}/network.onnx`))(x);
 * const layers = await tfLayers.loadLayersModel(modelFiles(folder));
 * tf.max(tf.abs(tf.sub(onnx!, network.predict(x)))).arraySync(); // 0
 * tf.max(tf.abs(tf.sub(layers.predict(x) as tf.Tensor, network.predict(x)))).arraySync(); // 0
 * ```
 */
export function trainedNetwork(spec: RunSpec, seed: number, state: Uint8Array): TrainedNetwork {
  const stream = spec.stream.seeded(seed);
  const net = network(spec.model, stream.shape);
  const judge = evaluator(net, spec.strategies);
  const { learner, states, columns: count, met } = decode(state) as Saved;
  const frozen = frozenOf(spec.strategies, states, { ...learner, optimizer: [] }, learner.weights);
  const { hooks: passing } = spec.strategies.find(({ hooks }) => hooks.forward !== undefined) ?? {};
  const byTask = stream.head === "multi" || (passing !== undefined && stream.facts.includes("task"));

  function columns({ task }: TaskOptions = {}): readonly number[] {
    if (byTask && task === undefined)
      throw new TypeError(
        `network: a task is required where the network is told it, got none; name one of the ${stream.tasks}: { task: 0 }`,
      );
    const ofTask = task === undefined ? [] : stream.classesOf(task);
    if (stream.head === "multi") return ofTask;
    return stream.head === "growing" ? [...met].sort((a, b) => a - b) : Array.from({ length: count }, (_, i) => i);
  }

  function predict(x: tf.Tensor, { task }: TaskOptions = {}): tf.Tensor {
    const wanted = columns({ task } as TaskOptions);
    return tf.tidy(() => {
      const logits = judge.predict(frozen, x, byTask ? task! : null);
      const all = wanted.length === logits.shape.at(-1) && wanted.every((column, i) => column === i);
      return all ? logits : tf.gather(logits, tf.tensor1d([...wanted], "int32"), logits.rank - 1);
    });
  }

  /** The outputs of what is saved. */
  function outputs(options: TaskOptions): readonly TaskOptions[] {
    if (options.task !== undefined || !byTask) return [options];
    if (Number.isFinite(stream.tasks)) return Array.from({ length: stream.tasks }, (_, task) => ({ task }));
    throw new TypeError("network: a task is required of a stream that never ends, got none; name it: { task: 0 }");
  }

  const own: TrainedNetwork = {
    input: net.input,
    columns,
    predict,
    toOnnx(options = {}) {
      const wanted = outputs(options);
      const example = tf.zeros([1, ...net.input]);
      const name = spec.model.spec.name;
      try {
        return exportOnnx((x) => wanted.map((each) => predict(x!, each)), [example], { name, batch: "any" });
      } finally {
        example.dispose();
      }
    },
    toLayers(options = {}) {
      const other = spec.strategies.find(({ hooks }) => hooks.forward !== undefined || hooks.predict !== undefined);
      if (other !== undefined)
        throw new TypeError(
          `layersModel: strategies that leave the prediction to the network are required, got ${other.spec.name}, which predicts in its own way; save the network as ONNX`,
        );
      const named = outputs(options).map((each) => ({
        name: each.task === undefined ? "logits" : `task-${each.task}`,
        columns: columns(each),
      }));
      return layersModel(net, learner.weights, learner.statistics, named);
    },
    saveOnnx(file, options) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, own.toOnnx(options));
    },
    async saveTfjs(folder, options) {
      const model = own.toLayers(options);
      try {
        await model.save(modelFiles(folder));
      } finally {
        model.dispose();
      }
    },
    dispose: () => disposeTree([learner, states] as unknown as Tree),
  };
  return Object.freeze(own);
}
