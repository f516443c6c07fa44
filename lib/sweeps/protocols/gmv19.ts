/** The tables of "Three scenarios for continual learning" and their settings. */
import { mlp } from "../../models/backbones/mlp.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import * as s from "../../strategies/index.ts";
import type { Strategy } from "../../strategies/strategy.ts";
import { scenario } from "../../streams/operators/scenario.ts";
import { permuted } from "../../streams/sources/permuted.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Protocol, PublishedCell } from "../conform.ts";
import { drawnPairs, threeScenarios } from "../parts/pairs.ts";

type Numbers = readonly [mean: number, error?: number];
const words = ["task", "domain", "class"] as const;

/** A row of a table, a cell for each scenario that has a number: settings differ between them. */
function row(
  name: string,
  strategy: (scenario: 0 | 1 | 2) => Strategy,
  numbers: readonly (Numbers | null)[],
): PublishedCell[] {
  return words.flatMap((word, i) => {
    const published = numbers[i];
    if (published === null || published === undefined) return [];
    return [{ name: `${name}-${word}`, strategies: [strategy(i as 0 | 1 | 2)], published: { [word]: published } }];
  });
}

const shared = {
  data: "mnist",
  spread: { kind: "error", runs: 20 },
  source: "van de Ven and Tolias 2019, arXiv:1904.07734, tables 4 and 5, with the settings of its code",
  conventions: [
    "the softmax of the class-incremental scenario is over the classes seen so far",
    "EWC: ½ λ, exact Fisher information over all labels; online EWC with a decay",
    "replay: the loss is (1/t) of the current plus (1 − 1/t) of the replayed batch",
    "distillation counts T² times",
    "Adam's moments are carried from one context to the next",
  ],
} as const;

const pick = <T>(i: 0 | 1 | 2, ...values: [T, T, T]): T => values[i]!;

/** The square of the temperature of distillation. */
const squared = 4;
const lwf = (i: 0 | 1 | 2): Strategy =>
  s.lwf({ lambda: squared, weighting: i === 0 ? "constant" : "tasks", over: i === 2 ? "all" : "old" });

/** Split MNIST in five pairs, 2000 steps each, batches of 128, Adam. */
export const gmv19SplitMnist: Protocol = {
  ...shared,
  id: "GMV19/split-mnist",
  scenarios: threeScenarios(drawnPairs, "growing"),
  model: mlp({ hidden: [400, 400] }),
  optimizer: adam({ lr: 1e-3 }),
  training: { batch: 128, steps: 2000, dropLast: true },
  cells: [
    ...row("none", () => s.naive(), [
      [87.19, 0.94],
      [59.21, 2.04],
      [19.9, 0.02],
    ]),
    ...row("ewc", (i) => s.ewc({ lambda: pick(i, 1e7, 1e6, 1e8) }), [
      [98.64, 0.22],
      [63.95, 1.9],
      [20.01, 0.06],
    ]),
    ...row(
      "online-ewc",
      (i) => s.ewc({ lambda: pick(i, 1e8, 1e8, 1e9), online: true, decay: pick(i, 0.8, 0.7, 0.8) }),
      [
        [99.12, 0.11],
        [64.32, 1.9],
        [19.96, 0.07],
      ],
    ),
    ...row("si", (i) => s.si({ c: pick(i, 50, 500, 0.5), epsilon: 0.1 }), [
      [99.09, 0.15],
      [65.36, 1.57],
      [19.99, 0.06],
    ]),
    { ...row("xdg", () => s.xdg({ gate: 0.95 }), [[99.1, 0.08]])[0]!, remembered: true },
    ...row("lwf", lwf, [
      [99.57, 0.02],
      [71.5, 1.63],
      [23.85, 0.44],
    ]),
    ...row("dgr", () => s.generativeReplay({ draw: 128 }), [null, [95.72, 0.25], [90.79, 0.41]]),
    ...row("dgr-distill", () => s.generativeReplay({ draw: 128, labels: "soft", strength: squared }), [
      null,
      [96.83, 0.2],
      [91.79, 0.32],
    ]),
    ...row("icarl", () => s.icarl({ capacity: 2000, temperature: 2 }), [null, null, [94.57, 0.11]]),
    ...row("offline", () => s.joint(), [[99.66], [98.42], [97.94]]),
  ],
  relations: [
    {
      says: "distillation adds to generative replay",
      scenario: "class",
      a: "dgr-distill-class",
      b: "dgr-class",
      atLeast: -1,
    },
    { says: "iCaRL is far above nothing done", scenario: "class", a: "icarl-class", b: "none-class", atLeast: 40 },
    { says: "online EWC is above nothing done", scenario: "task", a: "online-ewc-task", b: "none-task", atLeast: 1 },
    { says: "SI is above nothing done", scenario: "task", a: "si-task", b: "none-task", atLeast: 1 },
  ],
};

/** Ten permutations, 5000 steps each, batches of 128, Adam. */
export const gmv19PermutedMnist: Protocol = {
  ...shared,
  id: "GMV19/permuted-mnist",
  conventions: [...shared.conventions, "images are padded with zeros to 32×32 there, and are 28×28 here"],
  scenarios: {
    task: {
      stream: (data) => scenario("task")(permuted(data, 10, { seed: "run" }) as never) as unknown as Stream,
      told: "taskAware",
    },
    domain: { stream: (data) => permuted(data, 10, { seed: "run" }), told: "taskAgnostic" },
  },
  model: mlp({ hidden: [1000, 1000] }),
  optimizer: adam({ lr: 1e-4 }),
  training: { batch: 128, steps: 5000, dropLast: true },
  cells: [
    ...row("none", () => s.naive(), [[81.79, 0.48], [78.51, 0.24], null]),
    ...row("ewc", () => s.ewc({ lambda: 500 }), [[94.74, 0.05], [94.31, 0.11], null]),
    ...row("xdg", () => s.xdg({ gate: 0.55 }), [[91.4, 0.23]]),
    ...row("si", () => s.si({ c: 5, epsilon: 0.1 }), [[94.75, 0.14], [95.33, 0.11], null]),
    ...row("lwf", lwf, [[69.84, 0.46], [72.64, 0.52], null]),
    ...row("dgr", () => s.generativeReplay({ draw: 128 }), [null, [95.09, 0.04], null]),
    ...row("offline", () => s.joint(), [[97.68, 0.01], [97.59, 0.01], null]),
  ],
  relations: [
    { says: "EWC is above nothing done", scenario: "domain", a: "ewc-domain", b: "none-domain", atLeast: 2 },
    { says: "SI is above nothing done", scenario: "domain", a: "si-domain", b: "none-domain", atLeast: 2 },
  ],
};
