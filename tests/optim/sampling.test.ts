import {
  type Batching,
  blobs,
  classes,
  constant,
  evaluation,
  fit,
  hardBatches,
  mlp,
  type RunSpec,
  random,
  sgd,
  type TrainEvent,
  training,
} from "thalweg";
import { describe, expect, test } from "vitest";

const data = blobs({ classes: 4, dimensions: 6, perClass: 35 });

async function log(batching: readonly Batching[], epochs: number, batch: number): Promise<TrainEvent[]> {
  const spec: RunSpec = {
    stream: classes(data).split(1),
    model: mlp({ hidden: [] }),
    strategies: [],
    optimizer: sgd({ lr: 0.1 }),
    schedule: constant(),
    batching,
    training: training({ batch, epochs }),
    evaluation: evaluation({ share: 0 }),
  };
  const fitting = fit(spec);
  const events: TrainEvent[] = [];
  for await (const event of fitting) events.push(event);
  fitting.dispose();
  return events;
}

describe("hard batches", () => {
  const labels = new Int32Array(42);
  const pass = (epoch: number, losses: Float32Array) => ({
    labels,
    experience: 0,
    epoch,
    epochs: 6,
    batch: 4,
    losses,
    rng: random(5).at(epoch),
    rngs: (n: number) => random(5).at("all", n),
  });

  test("are the batches of the pass before with the largest mean loss, the hardest first", () => {
    const losses = Float32Array.from(labels, (_, i) => ((i * 13) % 42) / 42);
    const { order, length } = hardBatches({ share: 0.3, times: 2 }).plan;
    const all = [...order!(pass(3, losses))];
    expect(all.toSorted((a, b) => a - b)).toEqual([...labels.keys()]);
    const again = [...order!(pass(4, losses))];
    expect([...order!(pass(5, losses))]).toEqual(again);
    // ten whole batches, of which three; the last two examples make none
    expect([3, 4, 5, 6].map((epoch) => length!(42, epoch, 6, 4))).toEqual([42, 12, 12, 42]);
    const mean = (rows: readonly number[]): number => rows.reduce((sum, i) => sum + losses[i]!, 0) / rows.length;
    const groups = Array.from({ length: 10 }, (_, k) => all.slice(4 * k, 4 * k + 4));
    const hardest = groups.toSorted((a, b) => mean(b) - mean(a)).slice(0, 3);
    expect(again).toEqual(hardest.flat());
    expect(order!(pass(0, losses))).not.toEqual(order!(pass(3, losses)));
  });

  test("come after each pass of a run over all batches, which counts its steps by them", async () => {
    const events = await log([hardBatches({ share: 0.25 })], 4, 10);
    const start = events.find((event) => event.type === "boundary")!;
    const epochs = events.flatMap((event) => (event.type === "step" ? [event.epoch] : []));
    const counts = [0, 1, 2, 3].map((epoch) => epochs.filter((own) => own === epoch).length);
    const all = Math.ceil(start.examples / 10);
    const hard = Math.round(0.25 * Math.floor(start.examples / 10));
    expect(counts).toEqual([all, hard, all, hard]);
    expect(start.steps).toBe(epochs.length);
  });
});
