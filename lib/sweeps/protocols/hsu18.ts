/** The split MNIST table of "Re-evaluating continual learning scenarios" and its settings. */
import { adagrad } from "../../optim/optimizers/adagrad.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as s from "../../strategies/index.ts";
import type { Protocol, PublishedCell } from "../conform.ts";
import { pairs, threeScenarios } from "../parts/pairs.ts";
import { perceptron } from "../parts/perceptron.ts";

type Numbers = readonly [mean: number, deviation: number];

/** A row of the table with the same settings in all scenarios. */
const row = (
  name: string,
  strategies: PublishedCell["strategies"],
  task: Numbers,
  domain: Numbers,
  inClass: Numbers,
  more: Partial<PublishedCell> = {},
): PublishedCell => ({ name, strategies, published: { task, domain, class: inClass }, ...more });

/** A number of the class-incremental scenario alone, the one whose strengths its scripts name. */
const inClass = (name: string, strategies: PublishedCell["strategies"], published: Numbers): PublishedCell => ({
  name,
  strategies,
  published: { class: published },
  differs:
    "the importance is measured here on all examples of a task by its exact form; its strength is that of the source",
});

const rehearsal = (capacity: number): PublishedCell["strategies"] => [
  s.replay({ capacity, draw: 128, fill: "boundary" }),
];

/** Split MNIST in five pairs, four epochs each, batches of 128. */
export const hsu18SplitMnist: Protocol = {
  id: "HSU18/split-mnist",
  source: "Hsu, Liu, Ramasamy and Kira 2018, arXiv:1810.12488, table 2, with the settings of its scripts",
  data: "mnist",
  scenarios: threeScenarios(pairs, "growing"),
  model: perceptron([400, 400]),
  optimizer: adam({ lr: 1e-3 }),
  training: { batch: 128, epochs: 4 },
  spread: { kind: "deviation", runs: 10 },
  conventions: [
    "inputs are normalised by mean 0.1307 and deviation 0.3081; there they are padded to 32×32 too",
    "rehearsal there keeps the same number of examples of each task so far; here a reservoir over all of them",
    "the softmax is over the classes seen so far in the class-incremental scenario",
  ],
  cells: [
    row("adam", [s.naive()], [93.46, 2.01], [55.16, 1.38], [19.71, 0.08]),
    row("sgd", [s.naive()], [97.98, 0.09], [63.2, 0.35], [19.46, 0.04], { optimizer: sgd({ lr: 0.01 }) }),
    row("adagrad", [s.naive()], [98.06, 0.53], [58.08, 1.06], [19.82, 0.09], { optimizer: adagrad({ lr: 0.01 }) }),
    row("rehearsal-1100", rehearsal(1100), [99.4, 0.08], [95.16, 0.49], [90.78, 0.85]),
    row("rehearsal-4400", rehearsal(4400), [99.57, 0.07], [97.11, 0.34], [95.59, 0.49]),
    row("gem", [s.gem({ capacity: 4400, margin: 0.5 })], [98.42, 0.1], [96.16, 0.35], [92.2, 0.12], {
      optimizer: sgd({ lr: 0.01 }),
    }),
    row("offline", [s.joint()], [99.52, 0.16], [98.59, 0.15], [97.53, 0.3]),
    inClass("ewc", [s.ewc({ lambda: 1200 })], [19.8, 0.05]),
    inClass("online-ewc", [s.ewc({ lambda: 200, online: true })], [19.77, 0.04]),
    inClass("si", [s.si({ c: 600 })], [19.67, 0.09]),
    inClass("l2", [s.l2Anchor({ lambda: 100 })], [22.52, 1.08]),
    inClass("mas", [s.mas({ lambda: 1 })], [19.52, 0.29]),
  ],
  relations: [
    { says: "plain descent forgets less than Adam", scenario: "task", a: "sgd", b: "adam", atLeast: 0 },
    { says: "AdaGrad forgets less than Adam", scenario: "task", a: "adagrad", b: "adam", atLeast: 0 },
    {
      says: "plain descent forgets less than Adam without a task",
      scenario: "domain",
      a: "sgd",
      b: "adam",
      atLeast: 0,
    },
    { says: "a small memory is above every penalty", scenario: "class", a: "rehearsal-1100", b: "ewc", atLeast: 40 },
    { says: "a small memory is above every penalty", scenario: "class", a: "rehearsal-1100", b: "mas", atLeast: 40 },
    { says: "a small memory is above every penalty", scenario: "class", a: "rehearsal-1100", b: "l2", atLeast: 40 },
    { says: "a larger memory is better", scenario: "class", a: "rehearsal-4400", b: "rehearsal-1100", atLeast: 0 },
    { says: "MAS ends at the chance of the last task", scenario: "class", a: "mas", b: 20, within: 2 },
    { says: "GEM is far above nothing done", scenario: "class", a: "gem", b: "adam", atLeast: 40 },
  ],
};
