import {
  accumulate,
  batching,
  blobs,
  classes,
  constant,
  crossEntropies,
  digits,
  evaluation,
  evaluator,
  fit,
  mlp,
  type News,
  net,
  type RunSpec,
  replay,
  schedule,
  sgd,
  si,
  strategy,
  type TrainEvent,
  tf,
  training,
} from "thalweg";
import { describe, expect, test } from "vitest";

const data = blobs({ classes: 4, dimensions: 6, perClass: 35 });
const base: RunSpec = {
  stream: classes(data).split(2),
  model: mlp({ hidden: [8] }),
  strategies: [],
  optimizer: sgd({ lr: 0.1 }),
  schedule: constant(),
  training: training({ batch: 5 }),
  evaluation: evaluation({ share: 0 }),
};

const sum = (n: number, of: (i: number) => number): number => {
  let total = 0;
  for (let i = 0; i < n; i++) total += of(i);
  return total;
};

async function log(spec: RunSpec, from?: Uint8Array): Promise<TrainEvent[]> {
  const fitting = fit(spec, from === undefined ? {} : { from });
  const events: TrainEvent[] = [];
  for await (const event of fitting)
    if (event.type !== "finished") events.push("seconds" in event ? { ...event, seconds: 0 } : event);
  fitting.dispose();
  return events;
}

const stepsOf = (events: readonly TrainEvent[]) => events.filter((event) => event.type === "step");
const boundary = (events: readonly TrainEvent[], e = 0) => events.filter((event) => event.type === "boundary")[e]!;

/** Notes the rows of every batch as places in the table. */
const noting = (seen: number[][]) =>
  strategy("noting", {}, () => ({
    batch(_state, batch) {
      seen.push([...batch.at]);
      return batch;
    },
  }))();

describe("evaluation", () => {
  /** Logits whose mean over the batch is taken away: what a row gets depends on its neighbours. */
  const centred = (rows: number[]) =>
    strategy("centred", {}, () => ({
      predict(_state, { x, logits }) {
        rows.push(x.shape[0]!);
        return tf.sub(logits, tf.mean(logits, 0, true));
      },
    }))();

  test("a predict that reads the batch sees the examples alone: the mean over a test table is the one by hand", async () => {
    const rows: number[] = [];
    const spec = { ...base, strategies: [centred(rows)] };
    const run = fit(spec, { until: { experience: 0, local: 0 } });
    let loss = 0;
    for await (const event of run) if (event.type === "evaluated" && event.on === 1) loss = event.loss;
    const { network, learner } = run.session;
    const { examples } = spec.stream.seeded(0).test(1);
    const { weights, statistics } = learner;
    const { logits } = evaluator(network, []).outputs({ weights, statistics, states: {} }, examples, null);
    const [n, columns] = [examples.length, data.classes.length];
    const mean = Array.from({ length: columns }, (_, c) => sum(n, (i) => logits[i * columns + c]!) / n);
    const of = (i: number, c: number): number => logits[i * columns + c]! - mean[c]!;
    const wanted = sum(n, (i) => Math.log(sum(columns, (c) => Math.exp(of(i, c)))) - of(i, examples.labels[i]!)) / n;
    expect(n % 32).not.toBe(0);
    expect(loss).toBeCloseTo(wanted, 5);
    expect(new Set(rows)).toEqual(new Set([n]));
    run.dispose();
  });

  test("a forward that reads the batch sees no other rows either, and one that says it is rowwise runs in few sizes", async () => {
    const seen = async (rowwise: boolean) => {
      const rows = new Set<number>();
      const counted = strategy("counted", {}, () => ({
        rowwise,
        forward(_state, { plain, x, training }) {
          if (!training) rows.add(x.shape[0]!);
          return plain();
        },
      }))();
      for await (const _ of fit({ ...base, strategies: [counted] }, { until: { experience: 0, local: 0 } }));
      return rows;
    };
    const { length } = base.stream.seeded(0).test(0).examples;
    expect(await seen(false)).toEqual(new Set([length]));
    expect(await seen(true)).toEqual(new Set([128]));
  });
});

describe("batch sizes", () => {
  const doubling = batching("doubling", {}, () => ({ batch: ({ batch, epoch }) => batch * 2 ** epoch }));

  test("change within an experience, and passes are counted by examples", async () => {
    const spec = { ...base, batching: [doubling()], training: training({ batch: 10, epochs: 3 }) };
    const events = await log(spec);
    const n = boundary(events).examples;
    const first = stepsOf(events).filter(({ experience }) => experience === 0);
    const sizes = [0, 1, 2].map((epoch) =>
      first.filter((step) => step.epoch === epoch).map(({ examples }) => examples!),
    );
    sizes.forEach((own, epoch) => {
      const batch = 10 * 2 ** epoch;
      expect(own.slice(0, -1).every((size) => size === batch)).toBe(true);
      expect(own.reduce((a, b) => a + b, 0)).toBe(n);
    });
    expect(boundary(events).steps).toBe(first.length);
  });

  test("that do not fit leave the last batch out when training says so, and a number of steps is kept to", async () => {
    const spec = { ...base, batching: [doubling()], training: training({ batch: 16, epochs: 2, dropLast: true }) };
    const n = boundary(await log(spec)).examples;
    const sizes = stepsOf(await log(spec)).map(({ examples, experience }) => [experience, examples!]);
    const wanted = [16, 32].flatMap((batch) => Array.from({ length: Math.floor(n / batch) }, () => batch));
    expect(sizes.filter(([e]) => e === 0).map(([, size]) => size)).toEqual(wanted);
    const counted = { ...spec, training: training({ batch: 16, steps: 7 }) };
    expect(stepsOf(await log(counted)).filter(({ experience }) => experience === 0)).toHaveLength(7);
  });

  test("must be whole numbers, and only one part may decide them", async () => {
    const half = batching("half", {}, () => ({ batch: () => 2.5 }))();
    await expect(log({ ...base, batching: [half] })).rejects.toThrow(
      "half: batch must be a whole number of at least 1, got 2.5",
    );
    expect(() => fit({ ...base, batching: [half, doubling()] })).toThrow("half and doubling cannot be combined");
  });
});

describe("gathered gradients", () => {
  const gathered = { ...base, batching: [accumulate({ times: 4 })], training: training({ batch: 5, epochs: 2 }) };
  const whole = { ...base, training: training({ batch: 20, epochs: 2 }) };

  test("of four batches are the update of one that is four times as large, momentum and the last of a pass included", async () => {
    const optimizer = sgd({ lr: 0.1, momentum: 0.9 });
    const [a, b] = [await log({ ...gathered, optimizer }), await log({ ...whole, optimizer })].map(stepsOf);
    expect(a!.length).toBe(b!.length);
    a!.forEach((step, i) => {
      expect(step.loss).toBeCloseTo(b![i]!.loss, 5);
      expect(step.accuracy).toBeCloseTo(b![i]!.accuracy!, 6);
      expect([step.step, step.epoch, step.examples]).toEqual([b![i]!.step, b![i]!.epoch, b![i]!.examples]);
    });
  });

  test("also where a batch is only divided, and where strategies keep what an update did", async () => {
    const spec = { ...whole, batching: [accumulate({ most: 7 })], strategies: [si()] };
    const [a, b] = [await log(spec), await log({ ...whole, strategies: [si()] })].map(stepsOf);
    a!.forEach((step, i) => {
      expect(step.loss).toBeCloseTo(b![i]!.loss, 4);
    });
  });

  test("leave no tensors behind, and go on from any state bit for bit", async () => {
    const before = tf.memory().numTensors;
    const events = await log(gathered);
    expect(tf.memory().numTensors).toBe(before);
    const fitting = fit(gathered);
    let taken = 0;
    for await (const _ of fitting) if (++taken === 9) break;
    expect(await log(gathered, fitting.save())).toEqual(events.slice(9));
    fitting.dispose();
  });
});

describe("a schedule that listens", () => {
  /** Stops training when the loss of a pass is below a bound. */
  const stops = schedule("stops", { below: 0.5, every: 0 }, ({ below, every }) => ({
    factor: (_moment, { on }: { on: number } = { on: 1 }) => on,
    listens: {
      every: every === 0 ? "epoch" : every,
      begin: () => ({ on: 1 }),
      enter: () => ({ on: 1 }),
      told: ({ on }: { on: number }, { loss }) => ({ on: loss < below ? 0 : on }),
    },
  }));
  const spec = { ...base, schedule: stops(), training: training({ batch: 14, epochs: 12 }) };

  test("hears the mean loss of each pass: nothing moves after one that is low enough", async () => {
    const first = stepsOf(await log(spec)).filter(({ experience }) => experience === 0);
    const losses = Array.from({ length: 12 }, (_, epoch) => {
      const own = first.filter((step) => step.epoch === epoch);
      return own.reduce((total, { loss }) => total + loss, 0) / own.length;
    });
    const stop = losses.findIndex((loss) => loss < 0.5);
    expect(stop).toBeGreaterThan(0);
    expect(stop).toBeLessThan(11);
    // Batches of one size whose weights stay: every pass has the same mean.
    losses.slice(stop + 1).forEach((loss) => {
      expect(loss).toBeCloseTo(losses[stop + 1]!, 5);
    });
    expect(losses[stop + 1]).not.toBeCloseTo(losses[stop]!, 5);
  });

  test("takes the same batches as one that does not", async () => {
    const deaf = { ...spec, schedule: constant() };
    const never = { ...spec, schedule: stops({ below: -1, every: 16 }) };
    expect(stepsOf(await log(never))).toEqual(stepsOf(await log(deaf)));
  });
});

describe("a batch size that listens", () => {
  const news: News[] = [];
  const grows = batching("grows", { every: 3 }, ({ every }) => ({
    listens: {
      every,
      hears: ["norm", "variance"] as const,
      parts: 5,
      begin: () => ({ batch: 10, told: 0 }),
      told({ batch, told }: { batch: number; told: number }, heard) {
        news.push(heard);
        return { batch: heard.variance! / batch > 0.25 * heard.norm! ? batch * 2 : batch, told: told + 1 };
      },
    },
    batch: (_moment, { batch }: { batch: number; told: number } = { batch: 10, told: 0 }) => batch,
  }));
  const spec = { ...base, batching: [grows()], training: training({ batch: 10, epochs: 3 }) };

  test("is told the mean loss, the gradient's norm and its variance of every third step", async () => {
    news.length = 0;
    const events = await log(spec);
    const first = stepsOf(events).filter(({ experience }) => experience === 0);
    const [heard] = news;
    expect(heard!.loss).toBeCloseTo((first[0]!.loss + first[1]!.loss + first[2]!.loss) / 3, 6);
    expect(heard!.norm!).toBeGreaterThan(0);
    expect(heard!.variance!).toBeGreaterThan(0);
    expect(new Set(first.map(({ examples }) => examples)).size).toBeGreaterThan(1);
  });

  test("goes on bit for bit from a state saved at any event", async () => {
    const events = await log(spec);
    for (const at of events.keys()) {
      if (at % 3 !== 0) continue;
      const fitting = fit(spec);
      let taken = 0;
      for await (const _ of fitting) if (++taken === at + 1) break;
      expect(await log(spec, fitting.save())).toEqual(events.slice(at + 1));
      fitting.dispose();
    }
  });
});

describe("the order of a pass", () => {
  test("comes from a part that is asked before every pass, and is told the losses of examples", async () => {
    const seen: number[][] = [];
    const known: (Float32Array | null)[] = [];
    const hardest = batching("hardest", {}, () => ({
      losses: true,
      length: (examples: number, epoch: number) => (epoch === 0 ? examples : 6),
      order({ labels, losses, epoch, rng }) {
        known.push(losses?.slice() ?? null);
        if (epoch === 0) return rng.permutation(labels.length);
        return Uint32Array.from([...labels.keys()].sort((a, b) => losses![b]! - losses![a]!).slice(0, 6));
      },
    }));
    const spec = {
      ...base,
      strategies: [noting(seen)],
      batching: [hardest()],
      training: training({ batch: 6, epochs: 2 }),
      optimizer: sgd({ lr: 1e-9 }),
    };
    const run = fit(spec, { until: { experience: 1, local: 0 } });
    const events: TrainEvent[] = [];
    for await (const event of run) events.push(event);
    const n = boundary(events).examples;
    expect(known[0]!.every((loss) => Number.isNaN(loss))).toBe(true);
    expect(boundary(events).steps).toBe(Math.ceil(n / 6) + 1);
    // The weights hardly moved: the losses are those of the network now.
    const { network, learner } = run.session;
    const table = spec.stream.seeded(0).experience(0).train;
    const { weights, statistics } = learner;
    const { logits } = evaluator(network, []).outputs({ weights, statistics, states: {} }, table, null);
    const losses = tf.tidy(() =>
      crossEntropies(tf.tensor2d(logits, [n, 4]), tf.tensor1d(table.labels, "int32")).dataSync(),
    );
    losses.forEach((loss, i) => {
      expect(known[1]![i]).toBeCloseTo(loss, 4);
    });
    const wanted = [...losses.keys()].sort((a, b) => losses[b]! - losses[a]!).slice(0, 6);
    expect(new Set(seen.at(-1))).toEqual(new Set(wanted));
    run.dispose();
  });
});

describe("views", () => {
  test("of each example are rows of one step that differ, and a memory keeps the example once, as it is", async () => {
    const rows: { x: Float32Array; y: Int32Array; current: number }[] = [];
    const shifted = batching("shifted", {}, () => ({
      views: () => 3,
      view(row, out, _shape, rng) {
        const by = rng.uniform();
        row.forEach((value, i) => {
          out[i] = value + by;
        });
      },
    }));
    const looking = strategy("looking", {}, () => ({
      outputs: (_state, { x, y, current }) => ({ x, y, current: tf.scalar(current) }),
      afterStep(_state, { outputs }) {
        rows.push({ x: outputs.x!, y: Int32Array.from(outputs.y!), current: outputs.current![0]! });
      },
    }))();
    const spec = { ...base, strategies: [replay({ capacity: 200, draw: 2 }), looking], batching: [shifted()] };
    const run = fit(spec, { until: { experience: 1, local: 0 } });
    const events: TrainEvent[] = [];
    for await (const event of run) events.push(event);
    const [first, second] = rows;
    expect(first!.y).toHaveLength(15);
    expect(second!.y).toHaveLength(17);
    expect(second!.current).toBe(15);
    expect([...first!.y.slice(0, 5)]).toEqual([...first!.y.slice(5, 10)]);
    const row = (i: number): number[] => [...first!.x.slice(i * 6, i * 6 + 6)];
    const differences = row(0).map((value, i) => row(5)[i]! - value);
    expect(differences[0]).not.toBe(0);
    differences.forEach((difference) => {
      expect(difference).toBeCloseTo(differences[0]!, 4);
    });
    // Five new examples of each step, three views or not.
    expect(stepsOf(events).every(({ examples }) => examples === 5)).toBe(true);
    const kept = events.filter((event) => event.type === "probed" && event.name === "kept");
    expect(kept.reduce((total, event) => total + (event.type === "probed" ? event.value : 0), 0)).toBe(
      boundary(events).examples,
    );
    run.dispose();
  });
});

describe("resolution", () => {
  test("is the side of the images of a step: a model that pools over the image takes several, one that does not says so", async () => {
    const sides: number[] = [];
    const rising = batching("rising", {}, () => ({ side: ({ epoch }, from) => (epoch === 0 ? from / 2 : from) }))();
    const means: number[] = [];
    const measured = strategy("measured", {}, () => ({
      outputs: (_state, { x }) => ({ side: tf.scalar(x.shape[1]!), mean: tf.mean(x) }),
      afterStep(_state, { outputs }) {
        sides.push(outputs.side![0]!);
        means.push(outputs.mean![0]!);
      },
    }))();
    const spec: RunSpec = {
      ...base,
      stream: classes(digits()).split(5),
      model: net().conv(4, 3).relu().globalPool(),
      strategies: [measured],
      batching: [rising],
      training: training({ batch: 200, epochs: 2, shuffle: false }),
    };
    for await (const _ of fit(spec, { until: { experience: 1, local: 0 } }));
    const half = sides.length / 2;
    expect(sides).toEqual([...Array(half).fill(4), ...Array(half).fill(8)]);
    // Means over areas of equal size keep the mean of the image.
    expect(means[0]).toBeCloseTo(means[half]!, 5);
    const fixed = { ...spec, model: mlp({ hidden: [8] }) };
    await expect(log(fixed)).rejects.toThrow("rising: a model that takes images of several sizes is required, got mlp");
    expect(() => fit({ ...base, batching: [rising] })).toThrow("rising: a stream of images is required, got vector");
  });
});
