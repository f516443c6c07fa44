import {
  accumulate,
  carriedOver,
  classes,
  constant,
  cutout,
  digits,
  evaluation,
  fit,
  growBatch,
  lossRanks,
  net,
  normTest,
  plateau,
  type RunSpec,
  replay,
  resolution,
  sgd,
  type TrainEvent,
  tf,
  training,
  views,
} from "thalweg";
import { describe, expect, test } from "vitest";

const stream = classes(digits()).split(5).limit({ train: 200 }).slice(0, 2);
const everything: RunSpec = {
  stream,
  model: net().conv(4, 3).relu().globalPool(),
  strategies: [replay({ capacity: 20, draw: 4 })],
  optimizer: sgd({ lr: 0.02, momentum: 0.5 }),
  schedule: plateau({ patience: 0, everySteps: 4 }),
  training: training({ batch: 40, epochs: 2 }),
  evaluation: evaluation({ share: 0, tasks: "seen" }),
  batching: [
    normTest({ everySteps: 3, parts: 2 }),
    lossRanks(),
    views({ pad: 1, copies: 2, flip: 0.5 }),
    cutout({ side: 2 }),
    resolution({ first: 0.5, stages: 2 }),
  ],
};

async function log(spec: RunSpec, from?: Uint8Array): Promise<TrainEvent[]> {
  const fitting = fit(spec, from === undefined ? {} : { from });
  const events: TrainEvent[] = [];
  for await (const event of fitting)
    if (event.type !== "finished") events.push("seconds" in event ? { ...event, seconds: 0 } : event);
  fitting.dispose();
  return events;
}

async function savedAt(spec: RunSpec, count: number): Promise<Uint8Array> {
  const fitting = fit(spec);
  let taken = 0;
  for await (const _ of fitting) if (++taken === count) break;
  const bytes = fitting.save();
  fitting.dispose();
  return bytes;
}

describe("a run with all that a plan can have", () => {
  test("leaves no tensors behind, gives the same events again, and goes on from the middle bit for bit", async () => {
    const before = tf.memory().numTensors;
    const events = await log(everything);
    expect(tf.memory().numTensors).toBe(before);
    expect(await log(everything)).toEqual(events);
    const middles = events.flatMap((event, i) => (event.type === "step" && event.step % 3 === 2 ? [i + 1] : []));
    expect(middles.length).toBeGreaterThan(1);
    for (const count of middles.slice(0, 4))
      expect(await log(everything, await savedAt(everything, count))).toEqual(events.slice(count));
  });
});

describe("a run that goes on with another plan", () => {
  const plain: RunSpec = { ...everything, batching: [], schedule: constant(), strategies: [] };
  const planned: RunSpec = { ...plain, batching: [growBatch({ at: [0.5], factor: 2 })] };

  test("takes what is left of its experience, whichever way", async () => {
    for (const [from, to] of [
      [plain, planned],
      [planned, plain],
      [planned, { ...planned, batching: [accumulate({ times: 2 })] }],
    ] as const) {
      const bytes = carriedOver(await savedAt(from, 6), from, to, 0);
      const rest = await log(to, bytes);
      expect(rest.filter((event) => event.type === "learned").map(({ experience }) => experience)).toEqual([0, 1]);
    }
  });

  test("keeps what the plan has heard when only a strategy is new", async () => {
    const from: RunSpec = { ...planned, schedule: plateau({ everySteps: 2, patience: 0 }) };
    const to: RunSpec = { ...from, strategies: [replay({ capacity: 5 })] };
    const whole = await log(from);
    const bytes = carriedOver(await savedAt(from, 7), from, to, 0);
    const rest = await log(to, bytes);
    const sizes = (events: readonly TrainEvent[]): number[] =>
      events.flatMap((event) => (event.type === "step" ? [event.examples!] : []));
    expect(sizes(rest)).toEqual(sizes(whole.slice(7)));
  });
});

describe("a budget of steps", () => {
  test("ends an experience whose batches grow, and says so", async () => {
    const spec: RunSpec = {
      ...everything,
      strategies: [],
      schedule: constant(),
      stream: stream.budget({ steps: 5 }),
      batching: [growBatch({ at: [0.2], factor: 2 })],
    };
    const events = await log(spec);
    expect(events.filter((event) => event.type === "step" && event.experience === 0)).toHaveLength(5);
    expect(events.find((event) => event.type === "learned")).toMatchObject({ budget: "steps" });
    expect(events.find((event) => event.type === "boundary")).toMatchObject({ steps: 5 });
  });
});
