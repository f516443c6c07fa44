import { optimizerRace } from "../../lib/plots/optimizer-race.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { randomly } from "./runs.ts";

/** A loss that falls the faster the nearer the rate is to the best one, and does not reach the end where it is far above. */
const run = (seed: number, best: number, lr: number, floor: number): TrainEvent[] => {
  const random = randomly(seed + 1);
  const off = Math.log10(lr / best);
  const steps = off > 0.9 ? 60 : 240;
  return Array.from({ length: steps }, (_, step): TrainEvent => {
    const fall = 2.3 * Math.exp((-step / 40) * Math.exp(-(off ** 2)));
    const loss = (floor + 0.1 * off ** 2 + fall) * (0.9 + 0.2 * random());
    return { type: "step", step: step + 1, experience: 0, epoch: 0, loss, terms: { task: loss } };
  });
};

export default () =>
  optimizerRace(
    (
      [
        ["sgd", 0.3, 0.12],
        ["adam", 0.01, 0.08],
        ["scheduleFreeAdam", 0.02, 0.06],
      ] as const
    ).flatMap(([name, best, floor], index) =>
      [0.1, 0.3, 1, 3, 10].map((times) => ({
        name,
        lr: Number((best * times).toPrecision(2)),
        logs: [0, 1, 2].map((seed) => run(10 * index + seed, best, best * times, floor)),
      })),
    ),
  );
