import {
  blobs,
  classes,
  constant,
  disposeTree,
  evaluation,
  ewc,
  fit,
  fromArrays,
  joint,
  mapTensors,
  mlp,
  naive,
  nearestMean,
  net,
  type RunSpec,
  replay,
  sgd,
  strategy,
  type TrainEvent,
  tf,
  training,
} from "thalweg";
import { describe, expect, test } from "vitest";

const data = blobs({ classes: 4, dimensions: 6, perClass: 30 });
const base: RunSpec = {
  stream: classes(data).split(2),
  model: mlp({ hidden: [8] }),
  strategies: [],
  optimizer: sgd({ lr: 0.1, momentum: 0.5 }),
  schedule: constant(),
  training: training({ batch: 5, epochs: 2 }),
  evaluation: evaluation({}),
};

async function log(spec: RunSpec, seed = 0, from?: Uint8Array): Promise<TrainEvent[]> {
  const fitting = fit(spec, { seed, ...(from === undefined ? {} : { from }) });
  const events: TrainEvent[] = [];
  for await (const event of fitting) events.push(event);
  fitting.dispose();
  return timeless(events);
}

/** Events without their wall-clock times. */
function timeless(events: readonly TrainEvent[]): TrainEvent[] {
  return events.map((event) => ("seconds" in event ? { ...event, seconds: 0 } : event));
}

describe("a run", () => {
  test("tells what happens in order", async () => {
    const types = (await log(base)).map((event) => event.type).filter((type, i, all) => type !== all[i - 1]);
    expect(types).toEqual([
      "started",
      "evaluated",
      "probed",
      "boundary",
      "step",
      "learned",
      "probed",
      "evaluated",
      "probed",
      "boundary",
      "step",
      "learned",
      "probed",
      "evaluated",
      "probed",
      "finished",
    ]);
  });

  test("gives the same events from the same seed, others from another", async () => {
    const [first, again, other] = [await log(base, 3), await log(base, 3), await log(base, 4)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test("goes on bit for bit from a state saved at any event", async () => {
    const spec = {
      ...base,
      strategies: [replay({ capacity: 12 }), ewc({ lambda: 5, samples: 6 })],
      model: net().flatten().dense(8).relu().dropout(0.2),
    };
    const whole = await log(spec, 1);
    for (const stop of [0, 3, 5, 17, 40, whole.length - 5, whole.length - 1]) {
      const fitting = fit(spec, { seed: 1 });
      const before: TrainEvent[] = [];
      for await (const event of fitting) {
        before.push(event);
        if (before.length === stop + 1) break;
      }
      const bytes = fitting.save();
      fitting.dispose();
      const after = await log(spec, 1, bytes);
      expect([...timeless(before), ...after].filter((e) => e.type !== "finished")).toEqual(
        whole.filter((e) => e.type !== "finished"),
      );
    }
  });

  test("does not go on from the state of another experiment or seed", async () => {
    const fitting = fit(base, { seed: 1 });
    for await (const event of fitting) if (event.type === "step") break;
    const bytes = fitting.save();
    fitting.dispose();
    expect(() => fit(base, { seed: 2, from: bytes })).toThrow(
      "resume: the state of this experiment with seed 2 is required",
    );
    expect(() => fit({ ...base, training: training({ batch: 6 }) }, { seed: 1, from: bytes })).toThrow(
      "that of another",
    );
    expect(() => fit(base, { seed: 1, from: bytes.subarray(0, bytes.length - 40) })).toThrow("cut short");
    expect(() => fit(base, { seed: 1, from: new Uint8Array(100) })).toThrow("not a saved state");
  });

  test("stops between two steps when asked to, and keeps what it did", async () => {
    const control = new AbortController();
    const fitting = fit(base, { signal: control.signal });
    const events: TrainEvent[] = [];
    await expect(async () => {
      for await (const event of fitting) {
        events.push(event);
        if (event.type === "step" && event.step === 7) control.abort();
      }
    }).rejects.toThrow("fit: stopped at step");
    expect(events.some((event) => event.type === "step" && event.step === 7)).toBe(true);
    const rest = await log(base, 0, fitting.save());
    fitting.dispose();
    expect([...timeless(events), ...rest].filter((e) => e.type === "step")).toEqual(
      (await log(base)).filter((e) => e.type === "step"),
    );
  });

  test("takes many steps at once only where no strategy needs the host, with the same numbers", async () => {
    const watching = strategy("watching", {}, () => ({ outputs: (_state, step) => ({ y: step.y }), afterStep() {} }));
    const plain = (await log(base)).filter((e) => e.type === "step");
    const watched = (await log({ ...base, strategies: [watching()] })).filter((e) => e.type === "step");
    expect(watched.length).toBe(plain.length);
    plain.forEach((event, i) => {
      expect((watched[i] as typeof event).loss).toBeCloseTo(event.loss, 5);
    });
  });

  test("leaves no tensors behind", async () => {
    const before = tf.memory().numTensors;
    for (const strategies of [[naive()], [replay({ capacity: 10 }), ewc({ samples: 3 })], [nearestMean()], [joint()]])
      await log({ ...base, strategies });
    expect(tf.memory().numTensors).toBe(before);
  });

  test("evaluates every so many steps when told to", async () => {
    const events = await log({ ...base, evaluation: evaluation({ everySteps: 4, examples: 3 }) });
    const at = events.flatMap((e) => (e.type === "evaluated" && e.at === "step" ? [e] : []));
    expect([...new Set(at.map((e) => e.step % 4))]).toEqual([0]);
    expect(at.every((e) => e.examples === 3)).toBe(true);
  });

  test("counts steps per experience in place of passes when told to", async () => {
    const events = await log({ ...base, training: training({ batch: 7, steps: 11 }) });
    expect(events.filter((e) => e.type === "step")).toHaveLength(22);
  });

  test("grows its head with the classes that arrive, and its optimizer's state with it", async () => {
    const events = await log({ ...base, stream: classes(data).split(2).scenario("class", { head: "growing" }) });
    const steps = events.flatMap((e) => (e.type === "step" ? [e] : []));
    // With two of four classes competing, an untrained head is at log 2, not log 4.
    expect(steps[0]!.loss).toBeLessThan(1.2);
    expect(events.findLast(({ type }) => type === "evaluated")).toMatchObject({ after: 1, on: 1 });
  });

  test("counts only the task's own columns when the stream tells the task", async () => {
    const events = await log({ ...base, stream: classes(data).split(2).scenario("task") });
    for (const e of events) if (e.type === "evaluated") expect(e.accuracy).toBe(e.taskAware);
  });
});

describe("bad input", () => {
  test("is refused before any training, with what is required and what to do", () => {
    const images = fromArrays(new Uint8Array(4 * 9), [0, 1, 0, 1], { shape: [3, 3, 1] });
    expect(() => fit({ ...base, model: net().conv(2, 3).flatten() as RunSpec["model"] })).toThrow(
      "learn: a model that accepts vector examples is required",
    );
    expect(() => fit({ ...base, stream: classes(images), model: net().conv(2, 3) as RunSpec["model"] })).toThrow(
      "features must be a vector",
    );
    expect(() => fit({ ...base, strategies: [replay(), replay({ capacity: 3 })] })).toThrow(
      "by: each strategy may be given once, got replay twice",
    );
    expect(() => training({ batch: 0 })).toThrow("train: batch must be a whole number of at least 1, got 0");
    expect(() => training({ epoch: 3 } as never)).toThrow("train: no option epoch; it has batch, epochs");
    expect(() => evaluation({ everySteps: -1 })).toThrow(
      "evaluate: everySteps must be a whole number of at least 0, got -1",
    );
    expect(() => fit(base, { seed: 0.5 })).toThrow("random: a whole number is required as seed, got 0.5");
  });

  test("a loss that is not finite stops the run with step, term, tensor and what to do", async () => {
    const stopped = async (spec: RunSpec): Promise<string> =>
      log(spec).then(
        () => "it went on",
        (error: Error) => error.message,
      );
    // Weights of 1e30 are finite, what is computed with them is not.
    expect(await stopped({ ...base, optimizer: sgd({ lr: 1e30 }) })).toMatch(
      /^fit: a finite loss is required, got (NaN|Infinity) at step 2 \(experience 0, epoch 0, term "task"\); all weights are finite; the first tensor is the result of "head" \(\d+ of its 20 numbers are not finite\); lower/,
    );
    const spoil = strategy("spoil", {}, () => ({
      weights: (_state, { after }, step) =>
        mapTensors((w) => tf.div(w, tf.cast(tf.less(tf.sum(step.y), 9), "float32")), after),
    }));
    const before = tf.memory().numTensors;
    const spoilt = await stopped({ ...base, strategies: [spoil()] });
    const [, step, after] =
      /at step (\d+) .*; the first tensor is "weights\/[\w/-]+" .* not finite\), after step (\d+);/.exec(spoilt)!;
    expect(Number(step)).toBe(Number(after) + 1);
    expect(tf.memory().numTensors - before).toBeLessThan(40); // a run that failed keeps its state, and nothing else
  });
});

test("disposing a tree twice is harmless", () => {
  const tree = { a: tf.scalar(1) };
  disposeTree(tree);
  disposeTree(tree);
});
