import {
  type Batching,
  blobs,
  classes,
  constant,
  evaluation,
  fit,
  hardBatches,
  inBatchNegatives,
  mlp,
  negativeMining,
  type RunSpec,
  random,
  sgd,
  type TrainEvent,
  taskRelevance,
  training,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { balancedClusters } from "../../lib/optim/parts/clusters.ts";
import { entropy, hooksOf, normal, perceptron, small, stepOf } from "../strategies/by-hand.ts";

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
    features: null,
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

describe("P400: batches of what is easily confused", () => {
  const rng = random(3);
  const width = 3;
  const vectors = Float32Array.from({ length: 40 * width }, () => rng.normal());
  const unit = (i: number): number[] => {
    const row = [...vectors.subarray(i * width, (i + 1) * width)];
    return row.map((v) => v / Math.hypot(...row));
  };
  const alike = (a: number, b: number): number => unit(a).reduce((sum, v, j) => sum + v * unit(b)[j]!, 0);

  test("are clusters of one size whose examples are near each other", () => {
    const clusters = balancedClusters(vectors, width, 5, random(1));
    expect(clusters.map(({ length }) => length)).toEqual(Array(8).fill(5));
    expect(new Set(clusters.flatMap((cluster) => [...cluster])).size).toBe(40);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;
    const within = mean(clusters.flatMap((c) => [...c].flatMap((a) => [...c].map((b) => alike(a, b)))));
    const all = mean([...Array(40).keys()].flatMap((a) => [...Array(40).keys()].map((b) => alike(a, b))));
    expect(within).toBeGreaterThan(all + 0.5);
    // the halves of one division: no swap of two rows makes the parts tighter
    const [left, right] = balancedClusters(vectors, width, 20, random(1)) as [Uint32Array, Uint32Array];
    const sums = [left, right].map((part) => [0, 1, 2].map((j) => [...part].reduce((sum, i) => sum + unit(i)[j]!, 0)));
    const gain = (i: number): number => {
      const [a, b] = sums.map((sum) => sum.map((v) => v / Math.hypot(...sum)));
      return unit(i).reduce((sum, v, j) => sum + v * (a![j]! - b![j]!), 0);
    };
    expect(Math.min(...[...left].map(gain))).toBeGreaterThanOrEqual(Math.max(...[...right].map(gain)) - 1e-6);
  });

  test("are made of the network as it is before the pass, all steps before it taken", async () => {
    const seen: { epoch: number; features: Float32Array | null }[] = [];
    const part = negativeMining({ size: 4, every: 2 });
    const watched: Batching = {
      ...part,
      plan: {
        ...part.plan,
        order(pass) {
          seen.push({ epoch: pass.epoch, features: pass.features });
          return part.plan.order!(pass);
        },
      },
    };
    const events = await log([watched], 4, 10);
    expect(seen.map(({ features }) => features === null)).toEqual([true, false, true, false]);
    // a perceptron without hidden layers: its features are the examples
    const { train } = classes(data).split(1).seeded(0).experience(0);
    const x = new Float32Array(train.length * 6);
    train.read(
      Uint32Array.from({ length: train.length }, (_, i) => i),
      x,
    );
    expect([...seen[1]!.features!]).toEqual([...x]);
    const epochs = events.flatMap((event) => (event.type === "step" ? [event.epoch] : []));
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    expect(epochs.length).toBe(4 * Math.ceil(train.length / 10));
  });

  test("have the labels of the batch as the only classes that compete", () => {
    const { net, weights } = small([5], 2, 4);
    const x = normal(3, 2, 7);
    const { logits } = perceptron(weights, x);
    const wanted = [0, 2, 2].map((y, i) => entropy(logits[i]!, y, [0, 2]));
    const loss = hooksOf(inBatchNegatives()).taskLoss({}, stepOf({ net, weights, x, y: [0, 2, 2] }));
    expect(loss.dataSync()[0]).toBeCloseTo(wanted.reduce((a, b) => a + b) / 3, 5);
  });
});

test("taskRelevance is scikit-learn's lasso or ridge over the heads, and the shares go with sizes or squares", () => {
  const sources = [
    [1, 2, -1],
    [0.5, 0, 1],
    [2, 1, 0],
    [-1, 1, 1],
  ];
  const target = [1.5, 0.3, -0.7];
  // Lasso(alpha=penalty / 3) and Ridge(alpha=penalty) of scikit-learn 1.9, without an intercept
  const told = {
    l1: { 0.1: [0.1833333, 0, 0.4, -0.4666667], 0.5: [0.1166667, 0, 0.4, -0.3333333] },
    l2: { 0.1: [0.1938942, -0.011399, 0.4028864, -0.4811013], 0.5: [0.1958974, -0.0092308, 0.3805128, -0.4328205] },
  } as const;
  for (const by of ["l1", "l2"] as const)
    for (const penalty of [0.1, 0.5] as const) {
      const { weights, shares } = taskRelevance(sources, target, { by, penalty });
      const wanted = told[by][penalty];
      const sizes = wanted.map((v) => (by === "l1" ? Math.abs(v) : v * v));
      const total = sizes.reduce((a, b) => a + b);
      for (const [i, weight] of weights.entries()) {
        expect(weight).toBeCloseTo(wanted[i]!, 5);
        expect(shares[i]).toBeCloseTo(sizes[i]! / total, 5);
      }
    }
  expect(() => taskRelevance([[1]], target)).toThrow("heads of the target's 3 numbers are required, got 1 of [1]");
});
