/**
 * What it saves that frozen layers at a network's beginning are computed once for each example: the seconds of runs on the vision transformer
 * that comes with the library, with and without, whose weights at the end are the same to the bit.
 */

import { makeDataset, select } from "../../lib/data/dataset.ts";
import { leaves, type Tree } from "../../lib/engine/index.ts";
import { adam, constant, from, lora, type Model, mnist, pretrained, replay } from "../../lib/index.ts";
import { makeModel } from "../../lib/models/index.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { evaluation, training } from "../../lib/train/index.ts";
import { open } from "../../lib/train/session.ts";
import { record } from "../support/reference.ts";

const [examples, epochs] = [300, 5];
const data = await mnist();
const first = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);
const small = makeDataset({
  ...data,
  name: "mnist-few",
  train: select(data.train, first(examples)),
  test: select(data.test, first(examples)),
});
const stream = split(5)(classes(small));
const big = pretrained("vit-small");
const models: Record<string, Model> = {
  "head alone": from(big).freeze("*"),
  "last block and head": from(big).freeze(["patches", "class", "positions", "block1", "block2", "block3"]),
  "LoRA in the last block": from(big).adapt(lora({ rank: 4, on: "block4*" })),
};
/** The same model, which is not seen to be layers in a row: nothing of it is kept. */
const opaque = ({ stack: _, ...model }: Model): Model => makeModel(model as never) as unknown as Model;

function timed(model: Model): { readonly seconds: number; readonly weights: string } {
  const spec = {
    stream,
    model,
    strategies: [replay({ capacity: 100 })],
    optimizer: adam({ lr: 1e-3 }),
    schedule: constant(),
    training: training({ batch: 20, epochs }),
    evaluation: evaluation({}),
  };
  const start = performance.now();
  const session = open(spec as never, 1, "bench");
  while (session.advance());
  const seconds = (performance.now() - start) / 1000;
  const weights = leaves(session.learner.weights as unknown as Tree).map((t) => String(t.dataSync()));
  session.dispose();
  return { seconds, weights: weights.join(";") };
}

const rows = Object.entries(models).map(([name, model]) => {
  const [without, with_] = [timed(opaque(model)), timed(model)];
  const times = without.seconds / with_.seconds;
  const row = { with: +with_.seconds.toFixed(2), without: +without.seconds.toFixed(2), times: +times.toFixed(2) };
  console.log(name, row, with_.weights === without.weights ? "same weights" : "OTHER WEIGHTS");
  return [name, { ...row, same: with_.weights === without.weights }] as const;
});
record("known", {
  what: `seconds of runs on vit-small: ${examples} digits of MNIST in five tasks, ${epochs} passes in batches of 20, a memory of 100, evaluation after each task; compiling included`,
  rows: Object.fromEntries(rows),
});
