/** Golden numbers of CapyMOA. */
import { mlp } from "../../models/backbones/mlp.ts";
import { headed } from "../../models/headed.ts";
import { normalized } from "../../models/heads/normalized.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import * as s from "../../strategies/index.ts";
import { limit } from "../../streams/operators/limit.ts";
import { order } from "../../streams/operators/order.ts";
import { split } from "../../streams/operators/split.ts";
import { classes } from "../../streams/sources/classes.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Protocol } from "../conform.ts";
import { pairs } from "../parts/pairs.ts";

/** Golden numbers of CapyMOA's tests, on its own sampling of MNIST at 16×16. */
export const capymoaTiny: Protocol = {
  id: "CAPYMOA/tiny-split-mnist",
  source: "CapyMOA 2026, its tests of online continual learning",
  data: "tiny-split-mnist",
  scenarios: {
    class: {
      stream: (data) => limit({ train: 100, test: 20, perClass: true })(pairs(data) as never) as unknown as Stream,
      told: "taskAgnostic",
    },
  },
  model: mlp({ hidden: [64] }),
  optimizer: adam({ lr: 0.01 }),
  training: { batch: 64, epochs: 1 },
  spread: { kind: "floor" },
  conventions: [
    "100 examples of each class to train and 20 to test, 16×16: a sampling of MNIST that is downloaded with that library and cannot be made from MNIST's files, so that the band is always unknown here",
  ],
  cells: [
    { name: "ncm", strategies: [s.nearestMean({ of: "inputs" })], published: { class: [71.5] } },
    { name: "slda", strategies: [s.slda({ of: "inputs" })], published: { class: [75.5] } },
    { name: "gdumb", strategies: [s.gdumb({ capacity: 200 })], training: { epochs: 2 }, published: { class: [40.5] } },
    { name: "finetune", strategies: [s.naive()], training: { epochs: 2 }, published: { class: [27] } },
  ],
  relations: [
    { says: "discriminant analysis is above nearest means", scenario: "class", a: "slda", b: "ncm", atLeast: 0 },
    {
      says: "closed forms are above a network trained in turn",
      scenario: "class",
      a: "ncm",
      b: "finetune",
      atLeast: 20,
    },
  ],
};

/** CapyMOA's tutorial: split MNIST in an order of its own, replay of 200, Adam, batches of 64, one pass. */
export const capymoaSplitMnist: Protocol = {
  id: "CAPYMOA/split-mnist",
  source: "CapyMOA 2026, its tutorial on online continual learning",
  data: "mnist",
  scenarios: {
    class: {
      stream: (data) => split(5)(order([1, 4, 5, 7, 3, 9, 0, 8, 2, 6])(classes(data))) as unknown as Stream,
      told: "taskAgnostic",
    },
  },
  model: headed(mlp({ hidden: [64] }), normalized({ length: 1 / Math.sqrt(10) })),
  optimizer: adam({ lr: 0.01 }),
  training: { batch: 64, epochs: 1 },
  spread: { kind: "deviation", runs: 1 },
  conventions: [
    "one run there",
    "the memory takes a batch before examples are drawn for it there, after that here; drawn with replacement there, without here",
  ],
  cells: [{ name: "er-200", strategies: [s.replay({ capacity: 200 })], published: { class: [80] } }],
};
