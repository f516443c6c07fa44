/** The stability gap of a learner that has all data so far. */
import type { Dataset } from "../../data/dataset.ts";
import { mlp } from "../../models/backbones/mlp.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as s from "../../strategies/index.ts";
import { rotated } from "../../streams/sources/rotated.ts";
import type { Stream } from "../../streams/stream.ts";
import type { TrainEvent } from "../../train/events.ts";
import type { Protocol } from "../conform.ts";

/** The deepest fall of the first task's accuracy within 100 steps of the second one's beginning, in points. */
function fall(events: readonly TrainEvent[]): number {
  const first = events.flatMap((e) => (e.type === "evaluated" && e.on === 0 && e.at !== "start" ? [e] : []));
  const before = first.find((e) => e.at === "experience");
  const after = first.filter((e) => e.at === "step" && e.after === 1 && e.step <= before!.step + 100);
  return 100 * (before!.taskAgnostic - Math.min(...after.map((e) => e.taskAgnostic)));
}

/** The stability gap of a learner that has all data so far: rotations of 0°, 80° and 160°, 500 steps each. */
export const stabilityGapRotatedMnist: Protocol = {
  id: "GAP23/rotated-mnist",
  source: "van de Ven 2023, the figure of the stability gap of incremental joint training, with its script's settings",
  data: "mnist",
  scenarios: {
    fall: {
      stream: (data) => rotated(data as Dataset<"image">, [0, 80, 160]) as unknown as Stream,
      told: "taskAgnostic",
    },
  },
  model: mlp({ hidden: [400, 400] }),
  optimizer: sgd({ lr: 0.1 }),
  training: { batch: 128, steps: 500 },
  evaluation: { every: "experience", everySteps: 5, examples: 1000, tasks: "seen" },
  measure: { name: "deepest fall of the first task within 100 steps, points", of: fall },
  spread: { kind: "deviation", runs: 1 },
  conventions: [
    "read off a figure: about 92 % before the second task, 86 to 87 % soon after",
    "batches of 128 for each task so far there, of 128 throughout here; 1000 test examples every 5 steps here, 2000 every step there",
  ],
  cells: [{ name: "cumulative", strategies: [s.cumulative()], published: { fall: [6.5, 1.25] } }],
  relations: [
    { says: "a learner with all data so far still falls", scenario: "fall", a: "cumulative", b: 0, atLeast: 2 },
  ],
};
