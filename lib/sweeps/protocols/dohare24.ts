/** Slowly-changing regression, on which networks lose their plasticity, and its settings. */
import { mlp } from "../../models/backbones/mlp.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as s from "../../strategies/index.ts";
import { regression } from "../../streams/sources/regression.ts";
import type { Stream } from "../../streams/stream.ts";
import type { TrainEvent } from "../../train/events.ts";
import type { Protocol, PublishedCell } from "../conform.ts";

const examples = 10_000;
const experiences = 100;
const last = 20_000;

const isLast = (event: TrainEvent): boolean => event.type === "step" && event.step > examples * experiences - last;

/** The mean squared error of the last examples before each was learnt, in hundredths. */
function error(events: readonly TrainEvent[]): number {
  let sum = 0;
  for (const event of events) if (event.type === "step") sum += event.terms.task!;
  return (100 * sum) / last;
}

const cell = (name: string, lr: number, strategies: PublishedCell["strategies"], published: number): PublishedCell => ({
  name,
  strategies,
  optimizer: sgd({ lr }),
  published: { error: [published] },
});

/** A million examples one by one, the slow bits drawn anew every 10,000. */
export const slowlyChangingRegression: Protocol = {
  id: "DOHARE24/slowly-changing-regression",
  source: "Dohare et al. 2024, Loss of plasticity in deep continual learning, its figure of slowly-changing regression",
  data: null,
  scenarios: {
    error: {
      stream: () => regression({ examples, experiences, flips: "all", seed: "run" }) as unknown as Stream,
      told: "taskAgnostic",
    },
  },
  model: mlp({ hidden: [5], initial: "he" }),
  optimizer: sgd({ lr: 0.01 }),
  training: { batch: 1, epochs: 1 },
  evaluation: { examples: 1, tasks: "seen" },
  measure: {
    name: "mean squared error of the last 20,000 of a million examples, hundredths",
    of: error,
    keeps: isLast,
  },
  spread: { kind: "deviation", runs: 100 },
  conventions: [
    "read off a figure: 1.25 to 1.3, about 1.1 and about 0.87 for steps of 0.01, 0.003 and 0.001",
    "all slow bits are drawn anew, as in the authors' program, where the text flips one",
    "weights begin uniform there and normal here, of the same variance, with biases of 0",
  ],
  cells: [
    cell("step-0.01", 0.01, [s.naive()], 127.5),
    cell("step-0.003", 0.003, [s.naive()], 110),
    cell("step-0.001", 0.001, [s.naive()], 87),
  ],
  relations: [
    { says: "larger steps lose more", scenario: "error", a: "step-0.01", b: "step-0.001", atLeast: 10 },
    { says: "a middle step loses in between", scenario: "error", a: "step-0.003", b: "step-0.001", atLeast: 5 },
  ],
};
