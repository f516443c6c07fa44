/** Streams on which networks lose their plasticity, and their settings. */
import { mlp } from "../../models/backbones/mlp.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as s from "../../strategies/index.ts";
import { permuted } from "../../streams/sources/permuted.ts";
import { regression } from "../../streams/sources/regression.ts";
import type { Stream } from "../../streams/stream.ts";
import type { TrainEvent } from "../../train/events.ts";
import type { Protocol, PublishedCell } from "../conform.ts";

/** Every example is learnt once, alone; what is asked for is in the steps, not in looks at the tasks. */
const oneByOne = { training: { batch: 1, epochs: 1 }, evaluation: { examples: 1, tasks: "seen" } } as const;

const initial = "weights begin uniform there and normal here, of the same variance, with biases of 0";

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
  ...oneByOne,
  measure: {
    name: "mean squared error of the last 20,000 of a million examples, hundredths",
    of: error,
    keeps: isLast,
  },
  spread: { kind: "deviation", runs: 100 },
  conventions: [
    "read off a figure: 1.25 to 1.3, about 1.1 and about 0.87 for steps of 0.01, 0.003 and 0.001",
    "all slow bits are drawn anew, as in the authors' program, where the text flips one",
    initial,
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

const permutations = 150;
/** Ten tasks in a row are looked at together: of the first thirty and the last ones. */
const block = 10;
const early = 3 * block;

const isLooked = (event: TrainEvent): boolean =>
  event.type === "step" &&
  event.step % 10 === 0 &&
  (event.experience < early || event.experience >= permutations - block);

/** How much worse the last ten tasks are learnt online than the best ten in a row of the first thirty, in points. */
function lost(events: readonly TrainEvent[]): number {
  const blocks = new Map<number, { right: number; seen: number }>();
  for (const event of events) {
    if (event.type !== "step") continue;
    const at = Math.floor(event.experience / block);
    const { right, seen } = blocks.get(at) ?? { right: 0, seen: 0 };
    blocks.set(at, { right: right + event.accuracy!, seen: seen + 1 });
  }
  const shares = [...blocks.values()].map(({ right, seen }) => right / seen);
  return 100 * (Math.max(...shares.slice(0, -1)) - shares.at(-1)!);
}

/** Permuted MNIST example by example, 150 permutations. */
export const onlinePermutedMnist: Protocol = {
  id: "DOHARE24/online-permuted-mnist",
  source: "Dohare et al. 2024, Loss of plasticity in deep continual learning, its figure of online permuted MNIST",
  data: "mnist",
  scenarios: { lost: { stream: (data) => permuted(data, permutations, { seed: "run" }), told: "taskAgnostic" } },
  model: mlp({ hidden: [100, 100, 100], initial: "he" }),
  optimizer: sgd({ lr: 0.003 }),
  ...oneByOne,
  measure: {
    name: "online accuracy of ten tasks in a row, the best of the first thirty less the last of 150, points",
    of: lost,
    keeps: isLooked,
  },
  spread: { kind: "floor" },
  conventions: [
    "read off a figure: from 93.3 % at its best to below 88 % at the 150th task, for layers of 100 units",
    "every tenth example is counted here",
    initial,
  ],
  cells: [{ name: "width-100", strategies: [s.naive()], published: { lost: [5.3] } }],
  relations: [
    { says: "a small network learns new tasks ever worse", scenario: "lost", a: "width-100", b: 0, atLeast: 2 },
  ],
};
