/** What the regression tests of Avalanche's baselines expect on MNIST. */
import { net } from "../../models/net.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as s from "../../strategies/index.ts";
import { limit } from "../../streams/operators/limit.ts";
import { permuted } from "../../streams/sources/permuted.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Protocol } from "../conform.ts";
import { orderedPairs, pairs, threeScenarios } from "../parts/pairs.ts";
import { normalised, perceptron } from "../parts/perceptron.ts";

const avalanche = {
  source: "Avalanche 2024, continual-learning-baselines, its table and target results",
  data: "mnist",
  spread: { kind: "floor" },
  conventions: ["inputs are normalised by mean 0.1307 and deviation 0.3081, but for MIR"],
} as const;

/** A thousand examples of each of five pairs of classes, in the order that a seed gives there. */
const few = (classesInOrder: readonly number[]): Protocol["scenarios"][string] => ({
  stream: (data) =>
    limit({ train: 1000, seed: "run" })(orderedPairs(classesInOrder)(data) as never) as unknown as Stream,
  told: "taskAgnostic",
});

/** What Avalanche's baselines reach on split MNIST: bounds from below. */
export const avalancheSplitMnist: Protocol = {
  ...avalanche,
  id: "AVALANCHE/split-mnist",
  scenarios: {
    class: { stream: pairs, told: "taskAgnostic" },
    "few-seed-0": few([4, 1, 7, 5, 3, 9, 0, 8, 6, 2]),
    "few-seed-1": few([5, 6, 1, 2, 0, 8, 9, 3, 7, 4]),
    task: threeScenarios(pairs).task!,
  },
  model: perceptron([400, 400]),
  optimizer: sgd({ lr: 0.1 }),
  training: { batch: 10, epochs: 1 },
  cells: [
    {
      name: "gdumb",
      strategies: [s.gdumb({ capacity: 4400 })],
      training: { batch: 16, epochs: 10 },
      published: { class: [97] },
    },
    {
      name: "lwf",
      strategies: [s.lwf({ weighting: "ratio", temperature: 2 })],
      model: perceptron([200], "tanh"),
      optimizer: sgd({ lr: 0.001 }),
      training: { batch: 128, epochs: 21 },
      published: { class: [23] },
    },
    {
      name: "replay",
      strategies: [s.replay({ capacity: 1000, draw: 10, keep: "classBalanced" })],
      model: normalised().dense(512).relu().dropout(0.5),
      published: { class: [92] },
    },
    {
      name: "generative-replay",
      strategies: [s.generativeReplay({ draw: 100 })],
      optimizer: adam({ lr: 1e-3 }),
      training: { batch: 16, epochs: 10 },
      published: { class: [75] },
      differs: "the autoencoder there is smaller and trained by an optimizer of its own",
    },
    {
      name: "gss",
      strategies: [s.gss({ capacity: 300, draw: 10, compared: 10 })],
      model: perceptron([100, 100]),
      optimizer: sgd({ lr: 0.05 }),
      training: { epochs: 3 },
      published: { "few-seed-1": [78] },
      differs: "0.82 in the table and 0.78 in the target results there",
    },
    {
      name: "mir",
      strategies: [s.mir({ capacity: 500, candidates: 50, draw: 10 })],
      model: net().flatten().dense(400).relu().dropout(0.5),
      optimizer: sgd({ lr: 0.05 }),
      published: { "few-seed-0": [87] },
    },
    {
      name: "si",
      strategies: [s.si({ c: 0.5, epsilon: 0.1, most: 0.001 })],
      model: perceptron([256, 256]),
      optimizer: adam({ lr: 1e-3 }),
      training: { batch: 64, epochs: 10 },
      published: { task: [97] },
    },
    {
      name: "rwalk",
      strategies: [s.rwalk({ lambda: 0.1, alpha: 0.9, every: 10 })],
      model: perceptron([256, 256]),
      optimizer: adam({ lr: 1e-3 }),
      training: { batch: 64, epochs: 10 },
      published: { task: [99] },
    },
  ],
  relations: [
    { says: "a balanced memory alone is far above distillation", scenario: "class", a: "gdumb", b: "lwf", atLeast: 30 },
  ],
};

/** What Avalanche's baselines reach on permuted MNIST: bounds from below. */
export const avalanchePermutedMnist: Protocol = {
  ...avalanche,
  id: "AVALANCHE/permuted-mnist",
  scenarios: {
    four: { stream: (data) => permuted(data, 4, { seed: "run" }), told: "taskAgnostic" },
    ten: { stream: (data) => permuted(data, 10, { seed: "run" }), told: "taskAgnostic" },
    seventeen: { stream: (data) => permuted(data, 17, { seed: "run" }), told: "taskAgnostic" },
  },
  model: perceptron([512]),
  optimizer: sgd({ lr: 0.001 }),
  training: { batch: 256, epochs: 10 },
  cells: [
    {
      name: "lfl",
      strategies: [s.lfl({ lambda: 1e-4 })],
      model: perceptron([256]),
      optimizer: sgd({ lr: 0.01 }),
      training: { batch: 128, epochs: 3 },
      published: { four: [88] },
      differs: "λ multiplies the mean over features there, half their sum here",
    },
    {
      name: "ewc",
      strategies: [s.ewc({ lambda: 2, fisher: "batch" })],
      published: { ten: [83] },
    },
    {
      name: "si",
      strategies: [s.si({ c: 5, epsilon: 0.1, most: 0.001 })],
      model: perceptron([1000]),
      optimizer: adam({ lr: 1e-3 }),
      published: { ten: [83] },
      differs: "on a CPU the penalty of that version is zero for good: it keeps views of the weights",
    },
    {
      name: "agem",
      strategies: [s.agem({ capacity: 17 * 250, draw: 256 })],
      model: perceptron([256, 256]),
      optimizer: sgd({ lr: 0.1 }),
      training: { batch: 10, epochs: 1 },
      published: { seventeen: [81] },
    },
    {
      name: "gem",
      strategies: [s.gem({ capacity: 17 * 1000, margin: 0.5 })],
      model: perceptron([100, 100]),
      optimizer: sgd({ lr: 0.1 }),
      training: { batch: 10, epochs: 1 },
      published: { seventeen: [80] },
      differs: "0.80 in the table and 0.93 in the target results there",
    },
  ],
};
