import {
  blobs,
  classes,
  constant,
  cost,
  effectiveRank,
  evaluation,
  evaluator,
  fit,
  icarl,
  lwf,
  memoryOf,
  mlp,
  plasticity,
  prequential,
  type RunSpec,
  replay,
  sgd,
  spread,
  stepEvents,
  type TrainEvent,
  training,
} from "thalweg";
import { describe, expect, test } from "vitest";
import type { Batch } from "../../lib/strategies/strategy.ts";

const data = blobs({ classes: 4, dimensions: 6, perClass: 30 });
const base: RunSpec = {
  stream: classes(data).split(2),
  model: mlp({ hidden: [8] }),
  strategies: [],
  optimizer: sgd({ lr: 0.1 }),
  schedule: constant(),
  training: training({ batch: 5, epochs: 2 }),
  evaluation: evaluation({}),
};
const perExperience = base.stream.experience(0).train.length;

async function log(spec: RunSpec): Promise<TrainEvent[]> {
  const fitting = fit(spec);
  const events: TrainEvent[] = [];
  for await (const event of fitting) events.push(event);
  fitting.dispose();
  return events;
}

const of = <T extends TrainEvent["type"]>(events: readonly TrainEvent[], type: T) =>
  events.filter((event): event is Extract<TrainEvent, { type: T }> => event.type === type);

describe("the accuracy of a batch before the update", () => {
  test("is that of the weights before the step, on the examples of the stream", async () => {
    const whole = { ...base, training: training({ batch: perExperience, epochs: 6 }) };
    const steps = of(await log(whole), "step");
    const fitting = fit(whole, { until: { experience: 1, local: 3 } });
    for await (const _ of fitting);
    const { learner, network } = fitting.session;
    const { train } = whole.stream.experience(1);
    const frozen = { weights: learner.weights, statistics: learner.statistics, states: {} };
    const { logits } = evaluator(network, []).outputs(frozen, train, null);
    const columns = logits.length / train.length;
    const right = Array.from(train.labels).filter((label, i) => {
      const own = [...logits.subarray(i * columns, (i + 1) * columns)];
      return own.indexOf(Math.max(...own)) === label;
    });
    expect(steps[6 + 3]).toMatchObject({ examples: perExperience, accuracy: right.length / train.length });
    fitting.dispose();
  });

  test("leaves out what is replayed, and examples without a label", async () => {
    const steps = of(await log({ ...base, strategies: [replay({ capacity: 20 })] }), "step");
    expect(steps.every(({ examples }) => examples === 5)).toBe(true);
    const batch = { y: Int32Array.of(1, -1, 0, 2, 2), current: 3 } as unknown as Batch;
    const from = [{ step: 1, epoch: 0, experience: 0 }];
    expect(stepEvents(["task"], [0.5], from, { batches: [batch], chosen: [1, 0, 2, 2, 2] })[0]).toMatchObject({
      examples: 2,
      accuracy: 0.5,
    });
    const none = { y: Int32Array.of(-1), current: 1 } as unknown as Batch;
    expect(stepEvents(["task"], [0.5], from, { batches: [none], chosen: [0] })[0]).not.toHaveProperty("accuracy");
  });

  test("is not told where the learner does not decide by its logits", async () => {
    const events = await log({ ...base, strategies: [icarl()] });
    expect(of(events, "step").some((event) => "accuracy" in event)).toBe(false);
    expect(prequential.accuracy(events).why).toMatch(/not in the log/);
  });

  test("is there without asking", async () => {
    const { value } = prequential.accuracy(await log(base));
    expect(value).toBeGreaterThan(0.25);
    expect(value).toBeLessThan(1);
  });
});

describe("the probes of a run", () => {
  test("look before training and at the ends of experiences, and change no number of it", async () => {
    const [probed, blind] = [await log(base), await log({ ...base, evaluation: evaluation({ share: 0 }) })];
    const probes = of(probed, "probed").filter(({ layer }) => layer !== null);
    const last = of(probed, "step").length;
    expect([...new Set(probes.map(({ step }) => step))]).toEqual([0, last / 2, last]);
    expect([...new Set(probes.map(({ layer }) => layer))]).toEqual(["2-dense", "head"]);
    expect(of(blind, "probed").every(({ layer }) => layer === null)).toBe(true);
    expect(of(probed, "step")).toEqual(of(blind, "step"));
  });

  test("measure the features that the evaluation sees", async () => {
    const fitting = fit(base);
    const events: TrainEvent[] = [];
    for await (const event of fitting) events.push(event);
    const { learner, network } = fitting.session;
    const frozen = { weights: learner.weights, statistics: learner.statistics, states: {} };
    const examples = spread(base.stream.test(1).examples, 64);
    const { features } = evaluator(network, []).outputs(frozen, examples, null);
    const rank = effectiveRank({ data: features, rows: examples.length, columns: 8 });
    expect(plasticity.effectiveRank(events).value).toBeCloseTo(rank, 5);
    expect(plasticity.weightMagnitude(events).value).toBeGreaterThan(0);
    fitting.dispose();
  });

  test("are earned by work where experiences are many", async () => {
    const many = { ...base, stream: classes(blobs({ classes: 24, dimensions: 6, perClass: 10 })).split(12) };
    const steps = of(await log(many), "probed").flatMap(({ layer, step }) => (layer === "head" ? [step] : []));
    expect(steps).toEqual([0, Math.max(...steps)]);
    const work = { ...many, training: training({ batch: 5, steps: 600 }) };
    const earned = of(await log(work), "probed").flatMap(({ layer, step }) => (layer === "head" ? [step] : []));
    expect(earned.length).toBeGreaterThan(4);
  });
});

describe("the costs of a run", () => {
  /** A pass forwards, and a step: both kernels once more backwards, and the input of the head. */
  const pass = 2 * (6 * 8 + 8 * 4);
  const step = 2 * pass + 2 * 8 * 4;

  test("are the arithmetic of its steps, the passes that strategies make besides included", async () => {
    const events = await log(base);
    const rows = 5 * of(events, "step").length;
    const plain = cost.flops(events).value!;
    // no fewer than the products that there are; the engine may write a few sums as products, too
    expect(plain).toBeGreaterThanOrEqual(rows * step);
    expect(plain).toBeLessThan(1.1 * rows * step);
    const teacher = (rows / 2) * pass; // the network as it was before the second experience sees every example of it
    const besides = cost.flops(await log({ ...base, strategies: [lwf()] })).value! - plain;
    expect(besides).toBeGreaterThanOrEqual(teacher);
    expect(besides).toBeLessThan(1.1 * teacher);
  });

  test("are the tensors that it holds, and the examples that strategies keep", async () => {
    const events = await log({ ...base, strategies: [replay({ capacity: 20 })] });
    expect(cost.stateBytes(events).value).toBe(4 * (6 * 8 + 8 + 8 * 4 + 4));
    expect(cost.bufferBytes(events).value).toBe(20 * (6 * 4 + 4 + 4));
    expect(cost.bufferBytes(await log(base)).value).toBe(0);
    const { counts, classes: names } = memoryOf(events);
    expect(counts.map((row) => row.reduce((sum, value) => sum + value))).toEqual([20, 20]);
    expect(counts[0]!.slice(2)).toEqual([0, 0]); // the second two classes have not come yet
    expect(names).toEqual(["0", "1", "2", "3"]);
    expect(() => memoryOf([])).toThrow("memory: a run with a strategy that keeps examples is required");
  });
});
