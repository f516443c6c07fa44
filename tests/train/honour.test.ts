/** What a stream says about its experiences is kept to: budgets, deletion requests, labels that are asked for or come late. */
import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { gather } from "../../lib/data/dataset.ts";
import { jit, tf } from "../../lib/engine/index.ts";
import { random } from "../../lib/engine/random.ts";
import { flopsDone } from "../../lib/engine/runtime/tally.ts";
import { decode } from "../../lib/engine/serialize.ts";
import { forgottenAccuracy, retainedAccuracy } from "../../lib/metrics/forgotten-accuracy.ts";
import { mlp } from "../../lib/models/backbones/mlp.ts";
import { type Model, tape } from "../../lib/models/model.ts";
import { net } from "../../lib/models/net.ts";
import { network, type Weights } from "../../lib/models/network.ts";
import { flopsPerExample } from "../../lib/models/parts/flops.ts";
import { acquire } from "../../lib/strategies/acquisition/acquire.ts";
import { cumulative } from "../../lib/strategies/baselines/cumulative.ts";
import { joint } from "../../lib/strategies/baselines/joint.ts";
import { acquisitions, highest, probabilitiesOf } from "../../lib/strategies/parts/acquisitions.ts";
import { emptyBuffer } from "../../lib/strategies/parts/buffer.ts";
import { dropped, moved } from "../../lib/strategies/parts/forgetting.ts";
import { movedRecords } from "../../lib/strategies/parts/recorded.ts";
import { agem } from "../../lib/strategies/projection/agem.ts";
import { ewc } from "../../lib/strategies/regularisation/ewc.ts";
import { gdumb } from "../../lib/strategies/replay/gdumb.ts";
import { replay } from "../../lib/strategies/replay/replay.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { strategy } from "../../lib/strategies/strategy.ts";
import { active } from "../../lib/streams/operators/active.ts";
import { budget } from "../../lib/streams/operators/budget.ts";
import { delayLabels } from "../../lib/streams/operators/delay-labels.ts";
import { features } from "../../lib/streams/operators/features.ts";
import { forget } from "../../lib/streams/operators/forget.ts";
import { limit } from "../../lib/streams/operators/limit.ts";
import { online } from "../../lib/streams/operators/online.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { unlabel } from "../../lib/streams/operators/unlabel.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { open } from "../../lib/train/session.ts";
import { advance, found, load, run, small, spec, stream } from "../strategies/support.ts";

const data = blobs({ classes: 6, dimensions: 3, perClass: 20, testPerClass: 6 });
const three = split(3)(classes(data)) as Stream;
const of = <T extends TrainEvent["type"]>(events: readonly TrainEvent[], type: T) =>
  events.filter((event): event is Extract<TrainEvent, { type: T }> => event.type === type);
const stepsOf = (events: readonly TrainEvent[]): number[] =>
  [0, 1, 2].map((i) => of(events, "step").filter(({ experience }) => experience === i).length);

describe("a budget", () => {
  test("of steps ends each experience after so many, and the log says so", () => {
    const { events } = run(spec(budget({ steps: 7 })(three), []));
    expect(stepsOf(events).slice(0, 3)).toEqual([7, 7, 7]);
    expect(of(events, "learned").map((event) => event.budget)).toEqual(["steps", "steps", "steps"]);
    expect(of(events, "boundary").map((event) => event.steps)).toEqual([7, 7, 7]);
  });

  test("that is never reached changes nothing", () => {
    const free = run(spec(three, []));
    const ample = run(spec(budget({ steps: 1000, flops: 1e15, memoryBytes: 1e12 })(three), []));
    expect(ample).toEqual(free);
    expect(of(free.events, "learned").every((event) => event.budget === undefined)).toBe(true);
  });

  test("of operations ends an experience with the step that reaches it; rows that are replayed cost as much as others", () => {
    // 3 → 6 → 5 → 6 columns: 2 · (18 + 30 + 30) operations forwards, three times as much in training, 4 rows in a batch
    const step = 3 * 2 * (18 + 30 + 30) * 4;
    const alone = run(spec(budget({ flops: 5 * step })(three), [])).events;
    expect(stepsOf(alone).slice(0, 3)).toEqual([5, 5, 5]);
    expect(of(alone, "learned").map((event) => event.budget)).toEqual(["flops", "flops", "flops"]);
    expect(stepsOf(run(spec(budget({ flops: 5 * step - 1 })(three), [])).events)[0]).toBe(5);
    expect(stepsOf(run(spec(budget({ flops: 5 * step + 1 })(three), [])).events)[0]).toBe(6);
    const joined = run(spec(budget({ flops: 10 * step })(three), [replay({ capacity: 40, draw: 4 })])).events;
    expect(stepsOf(joined).slice(1, 3)).toEqual([5, 5]);
  });

  test("of operations is kept by a run that goes on in the middle of an experience", () => {
    const given = spec(budget({ flops: 20_000 })(three), [replay({ capacity: 10 })]);
    const whole = run(given);
    const first = open(given, 0, "test");
    advance(first, 6);
    const saved = first.save();
    first.dispose();
    expect(run(given, 0, saved).weights).toEqual(whole.weights);
  });

  test("counts the operations of layers by their kernels and the places they are applied to", () => {
    const dense = network(mlp({ hidden: [8] }), [4]);
    expect(flopsPerExample(dense, dense.init(random(0), 3))).toBe(2 * 4 * 8 + 2 * 8 * 3);
    const images = network(net().conv(5, 3).flatten(), [6, 6, 2]);
    expect(flopsPerExample(images, images.init(random(0), 3))).toBe(2 * (3 * 3 * 2) * 5 * 36 + 2 * (5 * 36) * 3);
  });

  test("of operations counts what a compiled pass is measured to do", () => {
    const models: [Model, number[]][] = [
      [mlp({ hidden: [20, 10] }), [12]],
      [net().conv(6, 3).relu().pool(2).conv(8, 3).flatten().dense(10), [12, 12, 1]],
      [net().embedding(7, 8, { positions: false }).gru(5).last(), [6]],
    ];
    for (const [model, shape] of models) {
      const own = network(model, shape);
      const weights = own.init(random(0), 5);
      const pass = jit((w: Weights, x: tf.Tensor) => own.logits(w, own.features(w, x, tape(false, null, {}).mode)));
      pass(weights, tf.zeros([4, ...shape])).dataSync();
      const before = flopsDone();
      pass(weights, tf.zeros([4, ...shape])).dataSync();
      expect(flopsDone() - before).toBe(4 * flopsPerExample(own, weights));
    }
  });

  test("of memory refuses a buffer that is larger, before any training", () => {
    const within = budget({ memoryBytes: 600 })(three);
    const room = 50 * 3 * 4;
    expect(() => advance(open(spec(within, [replay({ capacity: 51 })]), 0, "test"), 1)).toThrow(
      `budget: at most ${room} bytes may be kept from one experience to the next, got ${room + 12} (replay ${room + 12} for its examples); lower the capacity, or raise memoryBytes`,
    );
  });

  test("of memory counts everything that strategies hold, and the past that is read again", () => {
    const refused = (strategies: Strategy[], bytes: number): string => {
      const session = open(spec(budget({ memoryBytes: bytes })(three), strategies), 0, "test");
      let message = "";
      try {
        advance(session);
      } catch (error) {
        message = (error as Error).message;
      }
      session.dispose();
      return message;
    };
    expect(refused([ewc({ samples: 4 })], 100)).toMatch(/^budget: at most 100 bytes may be kept .* \(ewc \d+\)/);
    expect(refused([cumulative()], 479)).toMatch("got 480 (cumulative 480)"); // 40 examples of the first experience
    expect(refused([replay({ capacity: 20 })], 240)).toMatch(/\(replay \d+\)/); // labels and tasks are kept too
    expect(refused([replay({ capacity: 20 })], 1000)).toBe("");
  });
});

describe("a deletion request", () => {
  const asked = forget([0], { at: 1 })(three) as Stream;

  test.each(found)("leaves nothing of the class with $name", async (entry) => {
    const make = await load(entry);
    if (entry.name === "acquire" || small(make).hooks.tokensAlone === true) return; // no class of tokens is forgotten
    const own = stream(make);
    const session = open(spec(forget([0], { at: 1 })(own as never) as Stream, [small(make)]), 0, "test");
    const rows = own.experience(0).train;
    const held = (): boolean[] => {
      const state = Buffer.from(session.save());
      return [0, 1].map((label) =>
        [...rows.labels.keys()].some(
          (i) => rows.labels[i] === label && state.includes(Buffer.from(gather(rows, [i]).buffer)),
        ),
      );
    };
    while (session.cursor.experience === 0 && session.advance()) session.queue.length = 0;
    const [, other] = held();
    while (session.cursor.phase !== "train" && session.advance()) session.queue.length = 0;
    expect(session.cursor.experience).toBe(1);
    expect([entry.name, ...held()]).toEqual([entry.name, false, other]); // the other class of the experience stays
    advance(session, session.cursor.step + 2);
    expect([entry.name, held()[0]]).toEqual([entry.name, false]);
    session.dispose();
  });

  test("moves what is kept beside a memory with its examples, and overwrites the rest", () => {
    const buffer = emptyBuffer(5, { shape: [1], scale: 1, bytes: true });
    buffer.rows.set([50, 51, 52, 53, 54]);
    buffer.labels.set([0, 1, 0, 2, 1]);
    buffer.size = 5;
    const stay = dropped(buffer, new Set([0]));
    expect([[...stay], buffer.size]).toEqual([[1, 3, 4], 3]);
    expect([[...buffer.rows], [...buffer.labels]]).toEqual([
      [51, 53, 54, 0, 0],
      [1, 2, 1, 0, 0],
    ]);
    const beside = Float32Array.of(0, 0, 10, 11, 20, 21, 30, 31, 40, 41);
    moved(beside, 2, stay);
    expect([...beside]).toEqual([10, 11, 30, 31, 40, 41, 0, 0, 0, 0]);
    const records = movedRecords({ values: tf.tensor2d([[0], [1], [2], [3], [4]]) }, stay);
    expect([...records.values.dataSync()]).toEqual([1, 3, 4, 0, 0]);
  });

  test("is told in the log, and forgotten classes are scored apart from then on", () => {
    const { events } = run(spec(asked, [replay({ capacity: 12 })]));
    expect(of(events, "forgot")).toMatchObject([{ experience: 1, classes: [0] }]);
    const scores = of(events, "evaluated").filter(({ on, at }) => on === 0 && at === "experience");
    expect(scores[0]!.forgotten).toBeUndefined();
    for (const { after, accuracy, examples, forgotten, retained } of scores.slice(1)) {
      expect([after, forgotten!.examples, retained!.examples, examples]).toEqual([after, 6, 6, 12]);
      expect(accuracy).toBeCloseTo((forgotten!.accuracy + retained!.accuracy) / 2, 12);
    }
    expect(of(events, "evaluated").some(({ on, forgotten }) => on > 0 && forgotten)).toBe(false);
    const ends = scores.at(-1)!;
    expect(forgottenAccuracy(events).value).toBeCloseTo(ends.forgotten!.accuracy, 12);
    const others = of(events, "evaluated").filter(({ on, at, after }) => on > 0 && at === "experience" && after === 2);
    const right = 6 * ends.retained!.accuracy + others.reduce((sum, { accuracy }) => sum + 12 * accuracy, 0);
    expect(retainedAccuracy(events).value).toBeCloseTo(right / 30, 12);
    expect(forgottenAccuracy(run(spec(three, [])).events).why).toMatch("was not asked to forget");
  });

  test("needs labels, and is refused where they are hidden", () => {
    // @ts-expect-error this operator needs a stream that tells "labels"
    expect(() => forget([0], { at: 1 })(active(3)(split(3)(classes(data))))).toThrow(
      'forget: a stream that tells "labels" is required',
    );
  });

  test("that has been served is still known to a run that goes on", () => {
    const given = spec(asked, [joint()]);
    const whole = run(given);
    const first = open(given, 0, "test");
    while (first.cursor.experience < 2 && first.advance()) first.queue.length = 0;
    const saved = first.save();
    first.dispose();
    expect(run(given, 0, saved).weights).toEqual(whole.weights);
  });

  test("takes the class out of what is learnt jointly", () => {
    const all = run(spec(three, [joint()])).events;
    const less = run(spec(asked, [joint()])).events;
    expect(of(all, "boundary").at(-1)!.examples).toBe(120);
    expect(of(less, "boundary").at(-1)!.examples).toBe(100);
  });
});

describe("labels that have to be asked for", () => {
  test("are scored by entropy and margin as the formulas say", () => {
    const p = Float32Array.of(0.5, 0.5, 0, 0.25, 0.25, 0.5, 1, 0, 0);
    const rng = random(0);
    const entropies = acquisitions.entropy(p, 3, rng);
    expect(entropies[0]).toBeCloseTo(Math.log(2), 6);
    expect(entropies[1]).toBeCloseTo(1.5 * Math.log(2), 6);
    expect(entropies[2]).toBe(0);
    expect([...acquisitions.margin(p, 3, rng)]).toEqual([1, 0.75, 0]);
    expect([...highest(entropies, 2)]).toEqual([1, 0]);
    const open = probabilitiesOf(Float32Array.of(0, 0, 50), 3, [1, 1, 0]);
    expect([...open]).toEqual([0.5, 0.5, 0]);
  });

  test.each(["entropy", "margin", "random"] as const)(
    "are bought within the budget by %s, and nothing else is trained on",
    (by) => {
      const given = spec(active(8)(three) as Stream, [acquire({ by })]);
      const { events, weights } = run(given);
      expect(of(events, "boundary").map(({ examples }) => examples)).toEqual([8, 8, 8]);
      expect(stepsOf(events).slice(0, 3)).toEqual([4, 4, 4]);
      const session = open(given, 0, "test");
      while (session.cursor.experience < 2 && session.advance()) session.queue.length = 0;
      const saved = session.save();
      session.dispose();
      expect(run(given, 0, saved).weights).toEqual(weights);
    },
  );

  test("are asked for where the network is least sure", () => {
    const session = open(spec(active(8)(three) as Stream, [acquire({ by: "margin", labels: 5 })]), 0, "test");
    advance(session, 1);
    expect(session.cursor.experience).toBe(0);
    session.dispose();
  });

  test("belong to one table: an operator that chooses among the examples afterwards is refused, one that shows them otherwise is not", () => {
    const asked = active(8)(three) as Stream;
    for (const choose of [online({ batch: 5 }), limit(10), unlabel(0.5), online({ batch: 40 })])
      expect(() => (choose(asked as never) as Stream).experience(0)).toThrow(
        /^(online|limit|unlabel): .*put active after/,
      );
    const before = active(2)(online({ batch: 5 })(three as never) as Stream).experience(3);
    const table = (online({ batch: 5 })(three as never) as Stream).experience(3).train;
    expect(before.oracle!.ask([1, 4])).toEqual(Int32Array.of(table.labels[1]!, table.labels[4]!));
    const seen = features((x, n) => x.slice(0, n))(asked).experience(1);
    expect([...seen.oracle!.ask([0, 39])]).toEqual([0, 39].map((i) => three.experience(1).train.labels[i]));
  });

  test("that nobody asks for are an error, not a run that learns nothing", () => {
    expect(() => run(spec(active(8)(three) as Stream, []))).toThrow(
      "active: a strategy that asks for labels is required, got none that asked in experience 0; give one with by(acquire())",
    );
  });
});

describe("labels that come late", () => {
  test("are learnt when they come: the first experience teaches nothing, the last is all old examples", () => {
    const { events, weights } = run(spec(delayLabels(1)(three) as Stream, []));
    const losses = (i: number) =>
      of(events, "step")
        .filter(({ experience }) => experience === i)
        .map(({ loss }) => loss);
    expect(losses(0).every((loss) => loss === 0)).toBe(true);
    expect(losses(1).some((loss) => loss > 0.1)).toBe(true);
    expect(losses(3).every((loss) => loss > 0)).toBe(true);
    expect(weights.every(Number.isFinite)).toBe(true);
  });

  test.each([
    ["replay", replay({ capacity: 30 })],
    ["replay at boundaries", replay({ capacity: 30, fill: "boundary" })],
    ["agem", agem({ capacity: 30 })],
    ["gdumb", gdumb({ capacity: 30 })],
  ] as const)("leave no example without one in the memory of %s", (_, strategy) => {
    const session = open(spec(delayLabels(1)(three) as Stream, [strategy]), 0, "test");
    let most = 0;
    while (session.advance()) {
      session.queue.length = 0;
      if (session.cursor.phase !== "before") continue;
      const { states } = decode(session.save()) as unknown as {
        states: Record<string, { buffer?: Kept; episodes?: { buffer: Kept } | null }>;
      };
      const own = states[strategy.spec.name]!;
      const buffer = own.buffer ?? own.episodes?.buffer;
      if (!buffer) continue;
      most = Math.max(most, buffer.size);
      expect([...buffer.labels.subarray(0, buffer.size)].filter((label) => label < 0)).toEqual([]);
    }
    expect(most).toBeGreaterThan(5);
    session.dispose();
  });
});

interface Kept {
  readonly size: number;
  readonly labels: Int32Array;
}

describe("the examples of a deletion request", () => {
  test("are all that came of the class before, while the stream is without them", () => {
    const seen: unknown[] = [];
    const look = strategy("look", {}, () => ({
      forget(state, request, { stream: left, experience }) {
        const { columns, examples, experiences } = request;
        const before = Array.from({ length: experience }, (_, i) => left.experience(i).train.labels);
        seen.push({
          all: [...request],
          columns: [...columns],
          labels: [...new Set(examples.labels)],
          count: examples.length,
          from: experiences.map(({ index, task }) => [index, task]),
          hidden: before.every((labels) => ![...labels].some((label) => request.has(label))),
        });
        return state;
      },
    }));
    const twice = forget([3], { at: 2 })(forget([0, 1], { at: 2 })(forget([2], { at: 2 })(three) as never) as never);
    run(spec(twice as Stream, [look()]));
    const once = forget([1], { at: 2 })(forget([0], { at: 1 })(three) as never);
    run(spec(once as Stream, [look()]));
    const per = three.experience(0).train.length / 2;
    expect(seen).toEqual([
      {
        all: [2, 0, 1, 3],
        columns: [2, 0, 1, 3],
        labels: expect.arrayContaining([0, 1, 2, 3]),
        count: 4 * per,
        from: [
          [0, 0],
          [1, 1],
        ],
        hidden: true,
      },
      { all: [0], columns: [0], labels: [0], count: per, from: [[0, 0]], hidden: true },
      { all: [0, 1], columns: [1], labels: [1], count: per, from: [[0, 0]], hidden: true },
    ]);
  });
});
