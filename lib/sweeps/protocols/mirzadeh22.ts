/** How the width of a network bears on what it forgets. */
import type { Dataset } from "../../data/dataset.ts";
import { mlp } from "../../models/backbones/mlp.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as s from "../../strategies/index.ts";
import { rotated } from "../../streams/sources/rotated.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Protocol, PublishedCell } from "../conform.ts";

const cell = (width: number, mean: number, deviation?: number): PublishedCell => ({
  name: `width-${width}`,
  strategies: [s.naive()],
  model: mlp({ hidden: [width, width] }),
  published: { domain: deviation === undefined ? [mean] : [mean, deviation] },
  remembered: true,
});

/** Five rotations, one network trained on each in turn. */
export const widthRotatedMnist: Protocol = {
  id: "MIRZADEH22/rotated-mnist",
  source: "Mirzadeh et al. 2022, Wide neural networks forget less catastrophically, its table of rotated MNIST",
  data: "mnist",
  scenarios: {
    domain: {
      stream: (data) => rotated(data as Dataset<"image">, [0, 22.5, 45, 67.5, 90]) as unknown as Stream,
      told: "taskAgnostic",
    },
  },
  model: mlp({ hidden: [256, 256] }),
  optimizer: sgd({ lr: 0.01 }),
  training: { batch: 64, epochs: 5 },
  spread: { kind: "deviation", runs: 5 },
  conventions: [
    "its rotations, learning rate, batch and number of passes were not found: those here are our own, and the band is unknown",
  ],
  cells: [cell(32, 65.9, 1), cell(256, 71.1), cell(2048, 75.2, 0.34)],
  relations: [
    { says: "a wider network forgets less", scenario: "domain", a: "width-256", b: "width-32", atLeast: 1 },
    { says: "and a still wider one still less", scenario: "domain", a: "width-2048", b: "width-256", atLeast: 0.5 },
  ],
};
