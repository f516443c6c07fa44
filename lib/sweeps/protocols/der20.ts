/** The table of "Dark experience for general continual learning", MNIST columns, and its settings. */
import type { Dataset } from "../../data/dataset.ts";
import { mlp } from "../../models/backbones/mlp.ts";
import { headed } from "../../models/headed.ts";
import { linear } from "../../models/heads/linear.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as s from "../../strategies/index.ts";
import { split } from "../../streams/operators/split.ts";
import { classes } from "../../streams/sources/classes.ts";
import { permuted } from "../../streams/sources/permuted.ts";
import { revolving } from "../../streams/sources/revolving.ts";
import { rotated } from "../../streams/sources/rotated.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Protocol, PublishedCell } from "../conform.ts";
import { pairs, threeScenarios } from "../parts/pairs.ts";

const source = "Buzzega et al. 2020, arXiv:2004.07211, table 2 and 3, with the settings of its code";
const model = mlp({ hidden: [100, 100], initial: "xavier" });
/** The source's network: the head begins by the same rule. Cells that were run with it say so. */
const glorot = headed(model, linear("xavier"));
const conventions = [
  "one epoch of plain SGD; replay is drawn before the batch is stored",
  "task-incremental accuracy is the same network with the other columns masked at test time",
  "EWC: online, λ without ½, squared gradients of the true label weighted by its probability",
  "inputs in [0, 1], Glorot initialisation; of the head too for FDR on split MNIST, which depends on it, by PyTorch's rule for the others",
  "FDR: the source's code takes a second step for its term and leaves its alpha out",
  "SI: gradients are cut at 1",
] as const;

/** A cell of split MNIST: class- and task-incremental accuracy. */
const cell = (
  name: string,
  lr: number,
  strategies: PublishedCell["strategies"],
  inClass: number,
  inTask: number,
): PublishedCell => ({
  name,
  strategies,
  optimizer: sgd({ lr }),
  published: { class: [inClass], task: [inTask] },
});

/** The same with a learning rate of 0.1 and batches of 128. */
const large = (...[name, strategies, inClass, inTask]: [string, PublishedCell["strategies"], number, number]) => ({
  ...cell(name, 0.1, strategies, inClass, inTask),
  training: { batch: 128 },
});

/** Meta-experience replay as it was run there. */
const metaReplay = (capacity: number, lr: number, inClass: number, inTask: number): PublishedCell => ({
  ...cell(`mer-${capacity}`, lr, [s.replay({ capacity, draw: 128 })], inClass, inTask),
  training: { batch: 1 },
  differs: "MER with β = γ = 1 and one draw, as its settings there are, is replay with batches of one example",
});

/** Split MNIST in five pairs of digits, one epoch, batches of 10. */
export const der20SplitMnist: Protocol = {
  id: "DER20/split-mnist",
  source,
  data: "mnist",
  scenarios: {
    class: { stream: (data) => split(5)(classes(data)), told: "taskAgnostic" },
    task: { stream: (data) => split(5)(classes(data)), told: "taskAware" },
    known: threeScenarios(pairs).task!,
  },
  model,
  optimizer: sgd({ lr: 0.03 }),
  training: { batch: 10, epochs: 1 },
  spread: { kind: "deviation", runs: 10 },
  conventions,
  cells: [
    cell("joint", 0.03, [s.joint()], 95.57, 99.51),
    cell("sgd", 0.03, [s.naive()], 19.6, 94.94),
    cell("ewc", 0.03, [s.ewc({ lambda: 180, online: true, fisher: "likely" })], 20.46, 98.39),
    cell("si", 0.1, [s.si({ c: 1, epsilon: 0.9, clip: 1 })], 19.27, 96.0),
    cell("er-200", 0.01, [s.replay({ capacity: 200, draw: 10 })], 80.43, 97.86),
    cell("er-500", 0.1, [s.replay({ capacity: 500, draw: 10 })], 86.12, 99.04),
    cell("gem-200", 0.01, [s.gem({ capacity: 200, margin: 1 })], 80.11, 97.78),
    cell("agem-200", 0.1, [s.agem({ capacity: 200, draw: 128 })], 45.72, 98.61),
    cell("agem-500", 0.1, [s.agem({ capacity: 500, draw: 128 })], 46.66, 98.93),
    large("hal-200", [s.hal({ capacity: 200, draw: 128, lambda: 0.1, beta: 0.7, gamma: 0.5 })], 84.7, 97.96),
    large("hal-500", [s.hal({ capacity: 500, draw: 128, lambda: 0.1, beta: 0.2, gamma: 0.5 })], 87.21, 98.03),
    {
      ...large("fdr-200", [s.fdr({ capacity: 200, draw: 128, alpha: 1, apart: true })], 79.43, 97.66),
      optimizer: sgd({ lr: 0.03 }),
      model: glorot,
    },
    {
      ...large("fdr-500", [s.fdr({ capacity: 500, draw: 128, alpha: 1, apart: true })], 85.87, 97.54),
      model: glorot,
    },
    cell("der-200", 0.03, [s.der({ capacity: 200, draw: 10, alpha: 0.2 })], 84.55, 98.8),
    cell("der-500", 0.03, [s.der({ capacity: 500, draw: 128, alpha: 1 })], 90.54, 98.84),
    cell("derpp-200", 0.03, [s.derpp({ capacity: 200, draw: 128, alpha: 0.2, beta: 1 })], 85.61, 98.76),
    cell("derpp-500", 0.03, [s.derpp({ capacity: 500, draw: 10, alpha: 1, beta: 0.5 })], 91.0, 98.94),
    cell("er-5120", 0.1, [s.replay({ capacity: 5120, draw: 10 })], 93.4, 99.33),
    cell("agem-5120", 0.1, [s.agem({ capacity: 5120, draw: 128 })], 54.24, 98.93),
    cell("gem-500", 0.03, [s.gem({ capacity: 500, margin: 0.5 })], 85.99, 98.71),
    large("hal-5120", [s.hal({ capacity: 5120, draw: 128, lambda: 0.1, beta: 0.7, gamma: 0.5 })], 89.52, 98.35),
    {
      ...large("fdr-5120", [s.fdr({ capacity: 5120, draw: 128, alpha: 1, apart: true })], 87.47, 97.79),
      model: glorot,
    },
    cell("der-5120", 0.1, [s.der({ capacity: 5120, draw: 128, alpha: 0.5 })], 94.9, 99.29),
    cell("derpp-5120", 0.1, [s.derpp({ capacity: 5120, draw: 64, alpha: 0.2, beta: 0.5 })], 95.3, 99.47),
    metaReplay(200, 0.1, 81.47, 98.05),
    metaReplay(500, 0.1, 88.35, 98.43),
    metaReplay(5120, 0.03, 94.57, 99.27),
    { ...cell("pnn", 0.1, [s.pnn()], 0, 99.23), published: { known: [99.23] } },
  ],
  relations: [
    { says: "nothing done ends at the chance of the last task", scenario: "class", a: "sgd", b: 20, within: 1.5 },
    { says: "EWC ends at the chance of the last task", scenario: "class", a: "ewc", b: 20, within: 1.5 },
    { says: "SI ends at the chance of the last task", scenario: "class", a: "si", b: 20, within: 1.5 },
    { says: "A-GEM is far below ER", scenario: "class", a: "er-500", b: "agem-500", atLeast: 15 },
    { says: "GEM is far above A-GEM", scenario: "class", a: "gem-200", b: "agem-200", atLeast: 15 },
    { says: "DER is above ER", scenario: "class", a: "der-500", b: "er-500", atLeast: 0 },
    { says: "DER++ is about as DER", scenario: "class", a: "derpp-500", b: "der-500", within: 3 },
    { says: "FDR is far above nothing done", scenario: "class", a: "fdr-500", b: "sgd", atLeast: 30 },
    { says: "HAL is about as ER", scenario: "class", a: "hal-500", b: "er-500", within: 6 },
    { says: "a larger memory is better", scenario: "class", a: "er-500", b: "er-200", atLeast: 0 },
    { says: "all data at once is best", scenario: "class", a: "joint", b: "derpp-500", atLeast: 0 },
    { says: "EWC is near all data at once", scenario: "task", a: "joint", b: "ewc", within: 3 },
    { says: "EWC is above nothing done", scenario: "task", a: "ewc", b: "sgd", atLeast: 1 },
    { says: "SI is not below nothing done", scenario: "task", a: "si", b: "sgd", atLeast: 0 },
    { says: "A-GEM is near all data at once", scenario: "task", a: "joint", b: "agem-500", within: 3 },
  ],
};

/** A cell of a domain-incremental stream. */
const domain = (
  name: string,
  lr: number,
  strategies: PublishedCell["strategies"],
  ...published: [mean: number, deviation?: number]
): PublishedCell => ({ name, strategies, optimizer: sgd({ lr }), published: { domain: published } });

/** As torchvision turns images. */
const nearest = { interpolation: "nearest" } as const;

const domains = {
  model,
  optimizer: sgd({ lr: 0.2 }),
  training: { batch: 128, epochs: 1 },
  conventions,
  source,
  data: "mnist",
};

/** Rotated MNIST: twenty angles from 0° to 180°, one epoch each, batches of 128. */
export const der20RotatedMnist: Protocol = {
  ...domains,
  id: "DER20/rotated-mnist",
  scenarios: {
    domain: {
      stream: (data) => rotated(data as Dataset<"image">, { tasks: 20, between: [0, 180], seed: "run" }, nearest),
      told: "taskAgnostic",
    },
  },
  spread: { kind: "deviation", runs: 10 },
  cells: [
    domain("joint", 0.2, [s.joint()], 95.76, 0.04),
    domain("sgd", 0.2, [s.naive()], 67.66, 8.53),
    domain("ewc", 0.1, [s.ewc({ lambda: 1.4, online: true, fisher: "likely" })], 77.35, 5.77),
    domain("si", 0.1, [s.si({ c: 1, epsilon: 1, clip: 1 })], 71.91, 5.83),
    domain("agem-200", 0.1, [s.agem({ capacity: 200, draw: 128 })], 81.91, 0.76),
    domain("er-200", 0.2, [s.replay({ capacity: 200, draw: 128 })], 85.01, 1.9),
    domain("er-500", 0.2, [s.replay({ capacity: 500, draw: 128 })], 88.91, 1.44),
    domain("der-200", 0.2, [s.der({ capacity: 200, draw: 128, alpha: 1 })], 90.04, 2.61),
    domain("der-500", 0.2, [s.der({ capacity: 500, draw: 128, alpha: 0.5 })], 92.24, 1.12),
    domain("derpp-200", 0.1, [s.derpp({ capacity: 200, draw: 128, alpha: 1, beta: 0.5 })], 90.43, 1.87),
    domain("derpp-500", 0.2, [s.derpp({ capacity: 500, draw: 128, alpha: 0.5, beta: 1 })], 92.77),
    domain("er-5120", 0.2, [s.replay({ capacity: 5120, draw: 128 })], 93.45),
    domain("der-5120", 0.2, [s.der({ capacity: 5120, draw: 128, alpha: 0.5 })], 94.14),
    domain("derpp-5120", 0.2, [s.derpp({ capacity: 5120, draw: 128, alpha: 0.5, beta: 0.5 })], 94.65),
    domain("agem-500", 0.3, [s.agem({ capacity: 500, draw: 128 })], 80.31),
    domain("agem-5120", 0.3, [s.agem({ capacity: 5120, draw: 128 })], 80.18),
    domain("gem-200", 0.01, [s.gem({ capacity: 200, margin: 0.5 })], 80.8, 1.15),
    domain("gem-500", 0.01, [s.gem({ capacity: 500, margin: 0.5 })], 81.15),
    domain("fdr-200", 0.2, [s.fdr({ capacity: 200, draw: 128, alpha: 1, apart: true })], 85.22, 3.35),
    domain("fdr-500", 0.2, [s.fdr({ capacity: 500, draw: 128, alpha: 1, apart: true })], 89.67),
    domain("fdr-5120", 0.2, [s.fdr({ capacity: 5120, draw: 128, alpha: 1, apart: true })], 94.19),
    domain("hal-200", 0.1, [s.hal({ capacity: 200, draw: 128, lambda: 0.2, beta: 0.5, gamma: 0.1 })], 84.02),
    domain("hal-500", 0.1, [s.hal({ capacity: 500, draw: 128, lambda: 0.1, beta: 0.5, gamma: 0.1 })], 85.0),
    domain("hal-5120", 0.1, [s.hal({ capacity: 5120, draw: 128, lambda: 0.1, beta: 0.3, gamma: 0.1 })], 91.17),
  ],
  relations: [
    { says: "ER is above nothing done", scenario: "domain", a: "er-200", b: "sgd", atLeast: 5 },
    { says: "DER is above ER", scenario: "domain", a: "der-200", b: "er-200", atLeast: 0 },
    { says: "DER++ is about as DER", scenario: "domain", a: "derpp-200", b: "der-200", within: 3 },
    { says: "EWC is above nothing done", scenario: "domain", a: "ewc", b: "sgd", atLeast: 1 },
    { says: "A-GEM is above nothing done", scenario: "domain", a: "agem-200", b: "sgd", atLeast: 3 },
    { says: "all data at once is best", scenario: "domain", a: "joint", b: "der-500", atLeast: 0 },
  ],
};

/** Permuted MNIST: twenty permutations, one epoch each, batches of 128. */
export const der20PermutedMnist: Protocol = {
  ...domains,
  id: "DER20/permuted-mnist",
  scenarios: { domain: { stream: (data) => permuted(data, 20, { seed: "run" }), told: "taskAgnostic" } },
  spread: { kind: "deviation", runs: 10 },
  cells: [
    domain("joint", 0.2, [s.joint()], 94.33, 0.17),
    domain("sgd", 0.2, [s.naive()], 40.7, 2.33),
    {
      ...domain("ewc", 0.1, [s.ewc({ lambda: 1.4, online: true, fisher: "likely" })], 75.79),
      differs:
        "a loop by hand in PyTorch with the settings of the source's code ends at 59 too, and at 73 where squared gradients are not weighted",
    },
    domain("si", 0.1, [s.si({ c: 0.5, epsilon: 1, clip: 1 })], 65.86, 1.57),
    {
      ...domain("agem-200", 0.1, [s.agem({ capacity: 200, draw: 128 })], 66.42),
      differs:
        "a loop by hand in PyTorch with the settings of the source's code ends at 64.4 (six seeds, deviation 2.1)",
    },
    domain("er-200", 0.2, [s.replay({ capacity: 200, draw: 128 })], 72.37, 0.87),
    domain("der-200", 0.2, [s.der({ capacity: 200, draw: 128, alpha: 1 })], 81.74, 1.07),
    domain("derpp-200", 0.1, [s.derpp({ capacity: 200, draw: 128, alpha: 1, beta: 1 })], 83.58, 0.59),
    domain("er-500", 0.2, [s.replay({ capacity: 500, draw: 128 })], 80.6),
    domain("er-5120", 0.2, [s.replay({ capacity: 5120, draw: 128 })], 89.9),
    domain("der-500", 0.2, [s.der({ capacity: 500, draw: 128, alpha: 1 })], 87.29),
    domain("der-5120", 0.2, [s.der({ capacity: 5120, draw: 128, alpha: 0.5 })], 91.66),
    domain("derpp-500", 0.2, [s.derpp({ capacity: 500, draw: 128, alpha: 1, beta: 0.5 })], 88.21),
    domain("derpp-5120", 0.2, [s.derpp({ capacity: 5120, draw: 128, alpha: 0.5, beta: 1 })], 92.26),
    domain("agem-500", 0.1, [s.agem({ capacity: 500, draw: 128 })], 67.56),
    domain("agem-5120", 0.1, [s.agem({ capacity: 5120, draw: 128 })], 73.32),
    domain("gem-200", 0.1, [s.gem({ capacity: 200, margin: 0.5 })], 66.93),
    domain("gem-500", 0.1, [s.gem({ capacity: 500, margin: 0.5 })], 76.88),
    domain("fdr-200", 0.1, [s.fdr({ capacity: 200, draw: 128, alpha: 1, apart: true })], 74.77),
    domain("fdr-500", 0.1, [s.fdr({ capacity: 500, draw: 128, alpha: 1, apart: true })], 83.18),
    domain("fdr-5120", 0.1, [s.fdr({ capacity: 5120, draw: 128, alpha: 1, apart: true })], 90.87),
    domain("hal-200", 0.1, [s.hal({ capacity: 200, draw: 128, lambda: 0.1, beta: 0.5, gamma: 0.1 })], 74.15),
    domain("hal-500", 0.1, [s.hal({ capacity: 500, draw: 128, lambda: 0.1, beta: 0.3, gamma: 0.1 })], 80.13),
    domain("hal-5120", 0.1, [s.hal({ capacity: 5120, draw: 128, lambda: 0.1, beta: 0.5, gamma: 0.1 })], 89.2),
  ],
  relations: [
    { says: "EWC is above nothing done", scenario: "domain", a: "ewc", b: "sgd", atLeast: 5 },
    { says: "SI is above nothing done", scenario: "domain", a: "si", b: "sgd", atLeast: 5 },
    { says: "ER is above nothing done", scenario: "domain", a: "er-200", b: "sgd", atLeast: 10 },
    { says: "DER is above ER", scenario: "domain", a: "der-200", b: "er-200", atLeast: 1 },
    { says: "DER++ is about as DER", scenario: "domain", a: "derpp-200", b: "der-200", within: 4 },
    { says: "all data at once is best", scenario: "domain", a: "joint", b: "derpp-200", atLeast: 0 },
  ],
};

/** A cell of MNIST-360. */
const turning = (
  name: string,
  lr: number,
  batch: number,
  strategies: PublishedCell["strategies"],
  mean: number,
): PublishedCell => ({
  name,
  strategies,
  optimizer: sgd({ lr }),
  training: { batch },
  published: { general: [mean] },
});

/** MNIST-360: nine digits, two neighbours at a time and in three rounds, all turning through a full circle; no boundaries. */
export const der20Mnist360: Protocol = {
  ...domains,
  id: "DER20/mnist-360",
  source: "Buzzega et al. 2020, arXiv:2004.07211, table 3, with the settings of its code",
  scenarios: {
    general: {
      stream: (data) =>
        revolving(data as Dataset<"image">, { ...nearest, replace: true, seed: "run" }) as unknown as Stream,
      told: "taskAgnostic",
    },
  },
  training: { batch: 16, epochs: 1, shuffle: false },
  spread: { kind: "deviation", runs: 10 },
  conventions: [
    ...conventions,
    "where a batch has more than one example, its two digits are mixed in the ratio of what is left of them there, in turns here",
  ],
  cells: [
    turning("sgd", 0.1, 4, [s.naive()], 19.09),
    turning("er-200", 0.2, 1, [s.replay({ capacity: 200, draw: 16 })], 49.27),
    turning("er-500", 0.2, 1, [s.replay({ capacity: 500, draw: 16 })], 65.04),
    turning("er-1000", 0.2, 4, [s.replay({ capacity: 1000, draw: 16 })], 75.18),
    turning("der-200", 0.1, 16, [s.der({ capacity: 200, draw: 64, alpha: 0.5 })], 55.22),
    turning("der-500", 0.2, 16, [s.der({ capacity: 500, draw: 16, alpha: 0.5 })], 69.11),
    turning("der-1000", 0.1, 8, [s.der({ capacity: 1000, draw: 16, alpha: 0.5 })], 75.97),
    turning("derpp-200", 0.2, 16, [s.derpp({ capacity: 200, draw: 16, alpha: 0.5, beta: 1 })], 54.16),
    turning("derpp-500", 0.2, 16, [s.derpp({ capacity: 500, draw: 16, alpha: 0.5, beta: 1 })], 69.62),
    turning("derpp-1000", 0.2, 16, [s.derpp({ capacity: 1000, draw: 128, alpha: 0.2, beta: 1 })], 76.03),
  ],
  relations: [
    { says: "ER is far above nothing done", scenario: "general", a: "er-500", b: "sgd", atLeast: 20 },
    { says: "DER is above ER", scenario: "general", a: "der-500", b: "er-500", atLeast: 1 },
    { says: "DER++ is about as DER", scenario: "general", a: "derpp-500", b: "der-500", within: 4 },
    { says: "a larger memory is better", scenario: "general", a: "er-1000", b: "er-500", atLeast: 4 },
  ],
};
