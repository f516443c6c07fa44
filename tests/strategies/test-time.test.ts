import { readFileSync } from "node:fs";
import {
  bnAdapt,
  classes,
  disposeTree,
  type Examples,
  evaluation,
  evaluator,
  mlp,
  net,
  network,
  onlineError,
  random,
  type Strategy,
  sgd,
  strategy,
  type Tree,
  table,
  tent,
  testTime,
  tf,
  type Weights,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { digits } from "../../lib/data/digits.ts";
import { open } from "../../lib/train/session.ts";
import { advance, run, spec } from "./support.ts";

/** What PyTorch comes to: written by peers/test-time.py. */
const peer = JSON.parse(readFileSync(new URL("./peers/test-time.json", import.meta.url), "utf8")) as {
  readonly weights: Readonly<Record<string, number[] & number[][]>>;
  readonly batches: readonly (readonly (readonly number[])[])[];
  readonly blended: Readonly<Record<string, readonly number[][][]>>;
} & Record<
  "tent adam" | "tent sgd",
  { readonly logits: readonly number[][][]; readonly scale: number[]; readonly shift: number[] }
>;

describe("beside PyTorch", () => {
  const model = net().dense(4).batchNorm().relu();
  const made = network(model, [3]);
  const w = peer.weights;
  const [dense, norm] = ["1-dense", "2-batchNorm"];
  const examples: Examples = table(
    Float32Array.from(peer.batches.flat(2)),
    new Int32Array(peer.batches.flat(1).length),
    [3],
    1,
  );

  /** The logits of each batch in its order. */
  function seen(own: Strategy): number[][] {
    const weights = {
      model: {
        [dense!]: { kernel: tf.tensor2d(w.kernel!), bias: tf.tensor1d(w.bias!) },
        [norm!]: { scale: tf.tensor1d(w.scale!), shift: tf.tensor1d(w.shift!) },
      },
      head: { kernel: tf.tensor2d(w["head kernel"]!), bias: tf.tensor1d(w["head bias"]!) },
    } as Weights;
    const statistics = { [norm!]: { mean: tf.tensor1d(w.mean!), variance: tf.tensor1d(w.variance!) } };
    const state = own.hooks.init?.({ weights, statistics } as never) ?? {};
    const time = testTime(made, [own], evaluator(made, [own]), null)!;
    const frozen = {
      weights,
      statistics,
      states: { [own.spec.name]: { carried: (state as { carried?: Tree }).carried } },
    };
    const { logits, batches } = time.predict(frozen, examples, null, null, random(0));
    disposeTree([weights, statistics, (state as { carried?: Tree }).carried ?? null] as unknown as Tree);
    return batches.map((at) => [...at].flatMap((row) => [...logits.subarray(row * 3, row * 3 + 3)]));
  }

  const close = (ours: number[][], theirs: readonly number[][][]): void =>
    theirs.forEach((batch, b) => {
      expect(ours[b]).toHaveLength(batch.flat().length);
      batch.flat().forEach((z, i) => {
        expect(ours[b]![i]).toBeCloseTo(z, 4);
      });
    });

  test("the names of the layers are those that the fixture is put into", () => {
    const fresh = model.init(random(0), [3]);
    expect(Object.keys(fresh)).toEqual([dense, norm]);
    disposeTree(fresh as Tree);
  });

  test.each([0, 16])("blended statistics give the same logits with a prior of %i", (prior) => {
    close(seen(bnAdapt({ prior, batch: 5, shuffle: false })), peer.blended[String(prior)]!);
  });

  test.each(["adam", "sgd"] as const)("tent gives the same logits on every batch with %s", (by) => {
    close(seen(tent({ by, lr: 0.05, batch: 5, shuffle: false })), peer[`tent ${by}`].logits);
  });
});

describe("what is adapted", () => {
  const data = digits();
  const whole = classes(data).split(1).corrupt(["gaussianNoise", "contrast"], 4, { part: "test" });
  const stream = whole.limit(200);
  const norms = net().flatten().dense(24).batchNorm().relu();
  const about = (own: Strategy, more = {}) =>
    spec(stream, [own], {
      model: norms,
      evaluation: evaluation({ share: 0, atStart: false, every: "experience" }),
      ...more,
    });
  const tuned = (reset: "batch" | "task" | "round" | "never") => tent({ lr: 0.1, reset, batch: 100 });
  const scores = (own: Strategy) =>
    run(about(own)).events.flatMap((event) =>
      event.type === "evaluated" ? [event.online!.map((b) => b.accuracy)] : [],
    );

  test("never reaches training, unless it is asked to", () => {
    const plain = run(about(bnAdapt())).weights;
    for (const reset of ["batch", "task", "round"] as const) expect(run(about(tuned(reset))).weights).toEqual(plain);
    expect(run(about(tuned("never"))).weights).not.toEqual(plain);
  });

  test("begins again with every batch, every task, or every round", () => {
    const [batch, task, round] = [scores(tuned("batch")), scores(tuned("task")), scores(tuned("round"))];
    expect(batch[0]![0]).toBe(task[0]![0]); // the first batch of all is the same
    expect(task[0]).toEqual(round[0]); // and so is the first task
    expect(task[0]!.slice(1)).not.toEqual(batch[0]!.slice(1));
    expect(task[1]).not.toEqual(round[1]);
    expect(task[2]![0]).toBe(round[2]![0]); // a new round begins at what was trained
  });

  test.each(["task", "round", "never"] as const)(
    "goes on from a state saved between two tasks of a round: %s",
    (reset) => {
      const given = about(tuned(reset));
      const all = run(given);
      const first = open(given, 0, "test");
      const before = [];
      while (first.cursor.phase !== "evaluate" || first.cursor.pending.length !== 1) {
        first.advance();
        before.push(...first.queue.splice(0));
      }
      const saved = first.save();
      first.dispose();
      const rest = run(given, 0, saved);
      const told = [...before, ...rest.events].map((event) => ("seconds" in event ? { ...event, seconds: 0 } : event));
      expect(told).toEqual(all.events);
      expect(rest.weights).toEqual(all.weights);
    },
  );

  test("leaves no tensors behind", () => {
    const once = () => {
      const session = open(about(tuned("round")), 0, "test");
      advance(session);
      session.dispose();
    };
    once();
    const before = tf.memory().numTensors;
    once();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("sees the examples alone, in batches that were asked for", () => {
    const sizes = new Set<string>();
    const look = strategy("look", {}, () => ({
      adapting: { batch: 100, reset: "task", shuffle: false },
      adapt(_state, { x }) {
        sizes.add(String(x.shape));
        return {};
      },
    }));
    run(about(look()));
    const left = stream.test(0).examples.length % 100;
    expect([...sizes].sort()).toEqual([`100,8,8,1`, `${left},8,8,1`].sort());
  });

  test("predicts as the network does when nothing is changed, with and without what strategies predict", () => {
    const nothing = strategy("nothing", {}, () => ({
      adapting: { batch: 64, reset: "task", shuffle: true },
      adapt: () => ({}),
    }));
    const accuracies = (own: readonly Strategy[]) =>
      run(spec(stream, own, { model: norms })).events.flatMap((event) =>
        event.type === "evaluated" ? [[event.taskAware, event.taskAgnostic]] : [],
      );
    expect(accuracies([nothing()])).toEqual(accuracies([]));
  });

  test("helps on corrupted digits: blended statistics more than nothing, and tent too", () => {
    const online = (own: readonly Strategy[]): number => {
      const { events } = run(
        spec(stream, own, {
          model: norms,
          optimizer: sgd({ lr: 0.1 }),
          evaluation: evaluation({ share: 0, every: "end" }),
        }),
      );
      const last = events.flatMap((event) => (event.type === "evaluated" && event.at === "experience" ? [event] : []));
      if (own.length > 0) expect(onlineError(events).value).toBeGreaterThan(0);
      return last.reduce((sum, event) => sum + event.accuracy / last.length, 0);
    };
    const none = online([]);
    const [blended, tented] = [online([bnAdapt({ prior: 16, batch: 200 })]), online([tent({ lr: 0.01, batch: 200 })])];
    // 0.56, 0.90 and 0.90: with the same weights
    expect(blended).toBeGreaterThan(none + 0.2);
    expect(tented).toBeGreaterThan(none + 0.2);
  });

  test("asks for a model that it can adapt", () => {
    const plain = (own: Strategy) => () => run(about(own, { model: mlp({ hidden: [8] }) }));
    expect(plain(bnAdapt())).toThrow("bnAdapt: a model with layers that keep running statistics is required");
    expect(plain(tent())).toThrow("tent: a model with layers that normalise is required");
    expect(() => run(spec(stream, [bnAdapt(), tent()], { model: norms }))).toThrow(
      "bnAdapt and tent cannot be combined",
    );
  });
});
