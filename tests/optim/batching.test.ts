import { readFileSync } from "node:fs";
import {
  adagradNorm,
  applyUpdates,
  type Batching,
  blobs,
  classes,
  constant,
  cyclicalCurriculum,
  evaluation,
  evaluator,
  fit,
  growBatch,
  lossRanks,
  mlp,
  type News,
  normTest,
  plateau,
  type RunSpec,
  random,
  randomSubsets,
  sgd,
  specFromJson,
  specHash,
  specJson,
  type TrainEvent,
  tf,
  training,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { now } from "./support.ts";

const data = blobs({ classes: 4, dimensions: 6, perClass: 35 });
const base: RunSpec = {
  stream: classes(data).split(2),
  model: mlp({ hidden: [] }),
  strategies: [],
  optimizer: sgd({ lr: 0.1 }),
  schedule: constant(),
  training: training({ batch: 10 }),
  evaluation: evaluation({ share: 0 }),
};

async function log(spec: RunSpec): Promise<TrainEvent[]> {
  const fitting = fit(spec);
  const events: TrainEvent[] = [];
  for await (const event of fitting) events.push(event);
  fitting.dispose();
  return events;
}

const sizesOf = (events: readonly TrainEvent[], experience = 0): number[] =>
  events.flatMap((event) => (event.type === "step" && event.experience === experience ? [event.examples!] : []));

describe("plateau", () => {
  const { losses, runs } = JSON.parse(readFileSync(new URL("peers/plateau.json", import.meta.url), "utf8")) as {
    losses: number[];
    runs: { options: Record<string, number | string>; rates: number[] }[];
  };

  test.each(runs)(
    "gives the rates of PyTorch's ReduceLROnPlateau on recorded losses: $options",
    ({ options, rates }) => {
      const { factor, listens } = plateau({
        factor: options.factor as number,
        patience: options.patience as number,
        threshold: options.threshold as number,
        thresholdMode: options.threshold_mode === "rel" ? "relative" : "absolute",
        cooldown: options.cooldown as number,
        floor: options.min_lr as number,
      });
      let state = listens!.begin();
      const ours = losses.map((loss) => {
        const rate = factor(now(), state);
        state = listens!.told(state, { steps: 1, loss, terms: {}, examples: 1 }, now());
        return rate;
      });
      expect(new Set(rates).size).toBeGreaterThan(2);
      rates.forEach((rate, i) => {
        expect(ours[i]).toBeCloseTo(rate, 12);
      });
    },
  );
});

describe("growBatch", () => {
  test("multiplies the batch at each milestone, and the run takes such batches", async () => {
    const part = growBatch({ factor: 2, at: [0.25, 0.5], most: 30 });
    expect([0, 24, 25, 50, 75].map((seen) => part.plan.batch!(now({ seen })))).toEqual([10, 10, 20, 30, 30]);
    const sizes = sizesOf(
      await log({
        ...base,
        batching: [growBatch({ factor: 3, at: [0.5] })],
        training: training({ batch: 5, epochs: 2 }),
      }),
    );
    const total = sizes.reduce((a, b) => a + b, 0) / 2;
    expect(sizes.slice(0, Math.floor(total / 5))).toEqual(Array(Math.floor(total / 5)).fill(5));
    expect(sizes.at(-2)).toBe(15);
  });
});

describe("the norm test", () => {
  test("has the variance of the gradients of single examples, which for softmax regression is worked by hand", async () => {
    const heard: News[] = [];
    const part = normTest({ everySteps: 1, parts: 0, eta: 1e9 });
    const listens = part.plan.listens!;
    const overheard: Batching = {
      ...part,
      plan: {
        ...part.plan,
        listens: {
          ...listens,
          told(state, news, moment) {
            heard.push(news);
            return listens.told(state, news, moment);
          },
        },
      },
    };
    const spec = { ...base, batching: [overheard], optimizer: sgd({ lr: 1e-9 }), training: training({ batch: 500 }) };
    const run = fit(spec, { until: { experience: 1, local: 0 } });
    for await (const _ of run);
    const { network, learner } = run.session;
    const table = spec.stream.seeded(0).experience(0).train;
    const [n, width, columns] = [table.length, 6, 4];
    const x = new Float32Array(n * width);
    table.read(
      Uint32Array.from({ length: n }, (_, i) => i),
      x,
    );
    const { logits } = evaluator(network, []).outputs({ ...learner, states: {} }, table, null);
    // The gradient of an example is (softmax − one-hot) ⊗ (x, 1).
    const gradients = Array.from({ length: n }, (_, i) => {
      const z = [...logits.subarray(i * columns, (i + 1) * columns)].map(Math.exp);
      const total = z.reduce((a, b) => a + b);
      const error = z.map((value, c) => value / total - (table.labels[i] === c ? 1 : 0));
      return error.flatMap((e) => [...x.subarray(i * width, (i + 1) * width), 1].map((value) => e * value));
    });
    const mean = gradients[0]!.map((_, k) => gradients.reduce((sum, g) => sum + g[k]!, 0) / n);
    const variance = gradients.reduce((sum, g) => sum + g.reduce((s, v, k) => s + (v - mean[k]!) ** 2, 0), 0) / (n - 1);
    expect(heard[0]!.norm!).toBeCloseTo(
      mean.reduce((sum, v) => sum + v * v, 0),
      4,
    );
    expect(heard[0]!.variance! / variance).toBeCloseTo(1, 3);
    run.dispose();
  });

  test("asks for the batch that would pass it, in whole batches, never for a smaller one", () => {
    const { listens, accumulate } = normTest({ eta: 0.5, most: 80 }).plan;
    const told = (state: object, norm: number, variance: number) =>
      listens!.told(state, { steps: 17, loss: 1, terms: {}, examples: 10, norm, variance }, now());
    // 5 / (0.25 · 1) = 20 examples
    expect(told(listens!.begin(), 1, 5)).toEqual({ times: 2 });
    expect(accumulate!(now(), told(listens!.begin(), 1, 5.1))).toBe(3);
    expect(told({ times: 4 }, 1, 5)).toEqual({ times: 4 });
    expect(told({ times: 4 }, 1, 1e6)).toEqual({ times: 8 });
  });

  test("makes the updates of a run larger, all in passes of one size", async () => {
    const spec = {
      ...base,
      batching: [normTest({ eta: 0.3, everySteps: 3 })],
      optimizer: adagradNorm(),
      training: training({ batch: 8, epochs: 6 }),
    };
    const sizes = sizesOf(await log(spec));
    expect(sizes[0]).toBe(8);
    expect(Math.max(...sizes)).toBeGreaterThan(16);
    expect(Math.max(...sizes) % 8).toBe(0);
  });

  test("goes with AdaGradNorm, whose two steps on ½w² are worked by hand", () => {
    const optimizer = adagradNorm({ lr: 0.1, initial: 1 });
    let w = { w: tf.tensor1d([1, -2]) };
    let state = optimizer.init(w);
    for (let i = 0; i < 2; i++) {
      const [updates, next] = optimizer.update({ w: w.w }, state, w, tf.scalar(0.1));
      [w, state] = [applyUpdates(w, updates as { w: tf.Tensor1D }), next];
    }
    // s₁ = 1 + 5 = 6, w₁ = w(1 − .1/√6); s₂ = 6 + 5(1 − .1/√6)², w₂ = w₁(1 − .1/√s₂)
    const first = 1 - 0.1 / Math.sqrt(6);
    const second = first * (1 - 0.1 / Math.sqrt(6 + 5 * first * first));
    expect(w.w.dataSync()[0]).toBeCloseTo(second, 6);
    expect(w.w.dataSync()[1]).toBeCloseTo(-2 * second, 6);
  });
});

describe("samplers", () => {
  const labels = new Int32Array(40);
  const pass = (epoch: number, losses: Float32Array | null = null, epochs = 10) => ({
    labels,
    experience: 0,
    epoch,
    epochs,
    batch: 4,
    losses,
    features: null,
    rng: random(5).at(epoch),
    rngs: (n: number) => random(5).at("all", n),
  });

  test("random subsets go through the table before an example comes again, and differ from round to round", () => {
    const { order, length } = randomSubsets({ share: 0.25 }).plan;
    expect(length!(40, 0, 1, 4)).toBe(10);
    const parts = [0, 1, 2, 3, 4, 5, 6, 7].map((epoch) => [...order!(pass(epoch))]);
    expect(new Set(parts.slice(0, 4).flat()).size).toBe(40);
    expect(new Set(parts.slice(4).flat()).size).toBe(40);
    expect(parts[4]).not.toEqual(parts[0]);
    const again = randomSubsets({ share: 0.25, replacement: true }).plan.order!;
    expect(new Set([0, 1, 2, 3].flatMap((epoch) => [...again(pass(epoch))])).size).toBeLessThan(40);
  });

  test("a run with random subsets counts its steps by them", async () => {
    const events = await log({
      ...base,
      batching: [randomSubsets({ share: 0.5 })],
      training: training({ batch: 5, epochs: 4 }),
    });
    const start = events.find((event) => event.type === "boundary")!;
    const sizes = sizesOf(events);
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(4 * Math.floor(start.examples / 2));
    expect(start.steps).toBe(sizes.length);
  });

  test("the cyclical curriculum has the sizes of its program and draws easy examples as the inverse of their loss says", () => {
    // get_cycle_sizes(0.25, 1, 0.5, …) of the program
    const { length, order } = cyclicalCurriculum().plan;
    expect([0, 1, 2, 3, 4, 5, 6].map((epoch) => length!(40, epoch, 7, 4))).toEqual([10, 20, 40, 20, 10, 20, 40]);
    const losses = Float32Array.from(labels, (_, i) => (i < 20 ? 0.1 : 0.9));
    const single = cyclicalCurriculum({ start: 1 / 40, end: 1 }).plan.order!;
    let easy = 0;
    for (let i = 0; i < 2000; i++) {
      const drawn = single({ ...pass(0, losses), rng: random(i) });
      expect(drawn).toHaveLength(1);
      if (drawn[0]! < 20) easy++;
    }
    // 20/0.1 of 20/0.1 + 20/0.9: 0.9
    expect(easy / 2000).toBeCloseTo(0.9, 1);
    const all = order!(pass(2, losses));
    expect(new Set(all).size).toBe(40);
  });

  test("loss ranks draw the example of the largest loss as often as the formula says", () => {
    const losses = Float32Array.from(labels, (_, i) => (i * 7) % 40);
    const { order } = lossRanks({ pressure: 16, last: 16 }).plan;
    expect([...order!(pass(0, losses))].sort((a, b) => a - b)).toEqual([...labels.keys()]);
    const counts = new Float64Array(40);
    for (let i = 0; i < 5000; i++)
      for (const at of order!({ ...pass(3, losses), rng: random(i) })) counts[losses[at]!]!++;
    const q = 16 ** (-1 / 40);
    const share = (rank: number): number => (q ** rank * (1 - q)) / (1 - q ** 40);
    const total = counts.reduce((a, b) => a + b);
    for (const rank of [0, 10, 20, 39]) expect(counts[39 - rank]! / total / share(rank)).toBeCloseTo(1, 0.9);
    expect(counts[39]! / counts[0]!).toBeGreaterThan(12);
  });
});

describe("a study with parts of a plan", () => {
  test("has them in its record, from which it is made again; one without has the hash that it had", () => {
    const planned = { ...base, batching: [growBatch(), randomSubsets()], schedule: plateau() };
    const json = JSON.parse(JSON.stringify(specJson(planned)));
    expect(json.batching.map(({ name }: { name: string }) => name)).toEqual(["growBatch", "randomSubsets"]);
    expect(specHash(specFromJson(json, [data]))).toBe(specHash(planned));
    expect("batching" in (specJson(base) as object)).toBe(false);
    expect(specHash({ ...base, batching: [] })).toBe(specHash(base));
  });
});
