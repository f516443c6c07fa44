/** What a run has trained, as a value: it predicts, saves itself for other programs, and is where other studies begin. */
import { decode, disposeTree, type Tree } from "../engine/index.ts";
import { network as networkOf, type Weights } from "../models/network.ts";
import { type Predicting, type TrainedNetwork, trained } from "../models/trained.ts";
import { frozenOf } from "../train/held.ts";
import { fitted, limited, withShown } from "../train/parts/trained.ts";
import { predicting } from "../train/predicting.ts";
import type { RunSpec } from "../train/spec.ts";
import type { Saved } from "../train/state.ts";

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
  const { learner, states, columns, met } = decode(state) as Saved;
  const { statistics, states: held } = frozenOf(
    spec.strategies,
    states,
    { ...learner, optimizer: [] },
    learner.weights,
  );
  const own = predicting(spec.model, stream.shape, spec.strategies);
  const optimizer = fitted(spec.optimizer, limited(networkOf(spec.model, stream.shape), spec.strategies));
  const { scale, bytes } = stream.test(0).examples;
  const passing = spec.strategies.some(({ hooks }) => hooks.forward !== undefined);
  try {
    const make = (weights: Weights): TrainedNetwork =>
      trained({
        model: spec.model,
        input: stream.shape,
        weights,
        statistics,
        scale,
        bytes,
        target: stream.target,
        classes: Array.from({ length: columns }, (_, i) => stream.classes[i] ?? `class ${i}`),
        scenario: stream.head,
        ...(stream.head === "growing" ? { met: [...met].sort((a, b) => a - b) } : {}),
        tasks: Number.isFinite(stream.tasks)
          ? Array.from({ length: stream.tasks }, (_, task) => stream.classesOf(task))
          : (task) => stream.classesOf(task),
        told: stream.head === "multi" || (passing && stream.facts.includes("task")),
        ...(own === undefined ? {} : { predicting: { ...own, states: held as unknown as Predicting["states"] } }),
      });
    return learner.optimizer === null
      ? make(learner.weights)
      : withShown(optimizer, learner.weights, learner.optimizer, make);
  } finally {
    disposeTree([learner, states] as unknown as Tree);
  }
}
