/** The split MNIST table of "Three types of incremental learning" and its settings. */
import { mlp } from "../../models/backbones/mlp.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import * as s from "../../strategies/index.ts";
import type { Protocol, PublishedCell } from "../conform.ts";
import { drawnPairs, threeScenarios } from "../parts/pairs.ts";

type Numbers = readonly [mean: number, error: number] | readonly [mean: number];

/** One row of the table for one scenario: settings differ between scenarios, so each has cells of its own. */
const cell = (
  name: string,
  word: string,
  strategies: PublishedCell["strategies"],
  published: Numbers,
): PublishedCell => ({
  name,
  strategies,
  published: { [word]: published },
});

const icarl = s.icarl({ capacity: 1000, share: "all", temperature: 2 });

/** The same where the number was not read in its source. */
const remembered = (...row: Parameters<typeof cell>): PublishedCell => ({ ...cell(...row), remembered: true });

/** Split MNIST in five pairs, 2000 steps each, batches of 128, Adam. */
export const nmi22SplitMnist: Protocol = {
  id: "NMI22/split-mnist",
  source:
    "van de Ven, Tuytelaars and Tolias 2022, Nature Machine Intelligence 4, table 2, with the settings of its code",
  data: "mnist",
  scenarios: threeScenarios(drawnPairs),
  model: mlp({ hidden: [400, 400] }),
  optimizer: adam({ lr: 1e-3 }),
  training: { batch: 128, steps: 2000, dropLast: true },
  spread: { kind: "error", runs: 20 },
  conventions: [
    "the softmax is over all ten classes from the start in the class-incremental scenario; the sigmoids of iCaRL are over those seen so far",
    "EWC: ½ λ, exact Fisher information over all labels, one penalty per past task",
    "Adam's moments are carried from one context to the next",
    "A-GEM there draws the same share of the reference batch from each past context where the task is known; here one draw over all",
    "replay: the loss is (1/t) of the current plus (1 − 1/t) of the replayed batch",
  ],
  cells: [
    cell("none-task", "task", [s.naive()], [84.32, 0.99]),
    cell("none-domain", "domain", [s.naive()], [60.13, 1.66]),
    cell("none-class", "class", [s.naive()], [19.89, 0.02]),
    cell("joint-class", "class", [s.joint()], [98.17, 0.04]),
    cell("joint-task", "task", [s.joint()], [99.67, 0.03]),
    cell("joint-domain", "domain", [s.joint()], [98.59, 0.05]),
    { ...cell("separate-task", "task", [s.separateNetworks()], [99.57, 0.03]), model: mlp({ hidden: [100, 100] }) },
    remembered("xdg-task", "task", [s.xdg({ gate: 0.9 })], [98.93]),
    cell("ewc-task", "task", [s.ewc({ lambda: 1e5 })], [99.06, 0.15]),
    cell("ewc-domain", "domain", [s.ewc({ lambda: 1e10 })], [63.03, 1.58]),
    cell("ewc-class", "class", [s.ewc({ lambda: 1e9 })], [20.64, 0.52]),
    remembered("si-task", "task", [s.si({ c: 10, epsilon: 0.1 })], [99.2, 0.11]),
    remembered("si-domain", "domain", [s.si({ c: 5e4, epsilon: 0.1 })], [66.94, 1.13]),
    remembered("si-class", "class", [s.si({ c: 5e3, epsilon: 0.1 })], [21.2, 0.57]),
    cell("lwf-task", "task", [s.lwf()], [99.6, 0.03]),
    cell("lwf-domain", "domain", [s.lwf({ weighting: "tasks" })], [71.18, 1.42]),
    cell("lwf-class", "class", [s.lwf({ over: "all" })], [21.89, 0.32]),
    ...(["task", "domain", "class"] as const).map((word, i) =>
      (word === "task" ? remembered : cell)(
        `er-${word}`,
        word,
        [s.replay({ capacity: 1000, draw: 128, fill: "boundary", keep: "perExperience", weighting: "tasks" })],
        ([[98.98], [93.75], [88.79]] as const)[i]!,
      ),
    ),
    cell("agem-task", "task", [s.agem({ capacity: 1000, draw: 128 })], [98.54, 0.1]),
    cell("agem-domain", "domain", [s.agem({ capacity: 1000, draw: 128 })], [87.67, 1.33]),
    cell("agem-class", "class", [s.agem({ capacity: 1000, draw: 128 })], [65.1, 3.64]),
    cell("dgr-domain", "domain", [s.generativeReplay({ draw: 128 })], [95.57]),
    cell("dgr-class", "class", [s.generativeReplay({ draw: 128 })], [90.35]),
    remembered("icarl-class", "class", [icarl], [92.49, 0.12]),
  ],
  relations: [
    { says: "nothing done ends at the chance of the last task", scenario: "class", a: "none-class", b: 20, within: 1 },
    { says: "EWC ends at the chance of the last task", scenario: "class", a: "ewc-class", b: 20, within: 4 },
    { says: "LwF ends near the chance of the last task", scenario: "class", a: "lwf-class", b: 20, within: 15 },
    { says: "A-GEM is below ER", scenario: "class", a: "er-class", b: "agem-class", atLeast: 5 },
    {
      says: "generative replay is far above nothing done",
      scenario: "class",
      a: "dgr-class",
      b: "none-class",
      atLeast: 20,
    },
    { says: "iCaRL is far above nothing done", scenario: "class", a: "icarl-class", b: "none-class", atLeast: 40 },
    { says: "all data at once is best", scenario: "class", a: "joint-class", b: "er-class", atLeast: 0 },
    { says: "ER is above nothing done", scenario: "domain", a: "er-domain", b: "none-domain", atLeast: 10 },
    { says: "ER is above A-GEM", scenario: "domain", a: "er-domain", b: "agem-domain", atLeast: 0 },
    { says: "EWC is above nothing done", scenario: "task", a: "ewc-task", b: "none-task", atLeast: 1 },
    { says: "SI is above nothing done", scenario: "task", a: "si-task", b: "none-task", atLeast: 1 },
    { says: "EWC is near a network for each task", scenario: "task", a: "separate-task", b: "ewc-task", within: 3 },
    { says: "LwF is near a network for each task", scenario: "task", a: "separate-task", b: "lwf-task", within: 3 },
    {
      says: "context-dependent gating is near a network for each task",
      scenario: "task",
      a: "separate-task",
      b: "xdg-task",
      within: 3,
    },
    { says: "A-GEM is above nothing done", scenario: "task", a: "agem-task", b: "none-task", atLeast: 1 },
  ],
};
