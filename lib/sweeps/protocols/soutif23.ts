/** Online split CIFAR-100, from the logs of a survey. */
import { resnet18 } from "../../models/backbones/resnet18.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as s from "../../strategies/index.ts";
import { online } from "../../streams/operators/online.ts";
import { order } from "../../streams/operators/order.ts";
import { split } from "../../streams/operators/split.ts";
import { classes } from "../../streams/sources/classes.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Protocol } from "../conform.ts";

/** CIFAR-100 in twenty tasks, ten images at a time, three steps on each ten. */
export const onlineSplitCifar100: Protocol = {
  id: "SOUTIF23/split-cifar100",
  source:
    "Soutif-Cormerais et al. 2023, A comprehensive empirical evaluation on online continual learning, its logs of five seeds",
  data: "cifar100",
  scenarios: {
    class: {
      stream: (data) =>
        online({ batch: 10, seed: "run" })(split(20)(order("run")(classes(data))) as never) as unknown as Stream,
      told: "taskAgnostic",
    },
  },
  model: resnet18({ filters: 20 }),
  optimizer: sgd({ lr: 0.0599 }),
  training: { batch: 10, epochs: 3 },
  spread: { kind: "deviation", runs: 5 },
  conventions: ["images are cropped and mirrored at random there, not here"],
  cells: [
    {
      name: "er-2000",
      // A batch comes into the memory after the three steps on it.
      strategies: [s.replay({ capacity: 2000, draw: 10, fill: "boundary" })],
      published: { class: [28.15, 1.22] },
    },
  ],
};
