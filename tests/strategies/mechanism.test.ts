import { describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { decode, disposeTree, tf } from "../../lib/engine/index.ts";
import { net } from "../../lib/models/index.ts";
import { tape } from "../../lib/models/model.ts";
import { sgd } from "../../lib/optim/index.ts";
import * as strategies from "../../lib/strategies/index.ts";
import { requireCompatible, type Strategy } from "../../lib/strategies/strategy.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { open } from "../../lib/train/session.ts";
import { training } from "../../lib/train/spec.ts";
import { advance, numbers, run, spec, stream } from "./support.ts";

const {
  acil,
  agem,
  der,
  derpp,
  ewc,
  frozenBackbone,
  gem,
  gpm,
  lfl,
  lwf,
  mas,
  naive,
  packnet,
  ranpac,
  replay,
  si,
  slda,
} = strategies;
const task = stream({ needs: ["task"] } as never, 20);
const single = stream({ needs: [] } as never, 20);
const domain = scenario("domain")(single as never) as unknown as Stream;

/** A session that has learnt the first experiences. */
function learnt(experiences: number, over: Stream, strategy: Strategy, more = {}) {
  const session = open(spec(over, [strategy], more), 0, "test");
  while (session.cursor.experience < experiences && session.advance()) session.queue.length = 0;
  return session;
}

describe("what is frozen stays, bit for bit", () => {
  test.each([
    ["the model under frozenBackbone", frozenBackbone({ after: 1 }), single, "model"],
    ["the head under lfl", lfl(), domain, "head"],
  ] as const)("%s", (_, strategy, over, part) => {
    const session = learnt(1, over, strategy);
    const before = numbers(session.learner.weights[part]);
    const other = numbers(session.learner.weights[part === "model" ? "head" : "model"]);
    advance(session);
    expect(numbers(session.learner.weights[part])).toEqual(before);
    expect(numbers(session.learner.weights[part === "model" ? "head" : "model"])).not.toEqual(other);
    session.dispose();
  });
});

describe("terms", () => {
  const terms = (over: Stream, strategy: Strategy, name: string, more = {}): { experience: number; value: number }[] =>
    run(spec(over, [strategy], more)).events.flatMap((e) =>
      e.type === "step" ? [{ experience: e.experience, value: e.terms[name]! }] : [],
    );

  test.each([
    ["ewc", ewc({ lambda: 10 })],
    ["si", si({ c: 1 })],
    ["mas", mas()],
    ["lwf", lwf()],
  ] as const)("%s is zero in the first experience and moves afterwards", (name, strategy) => {
    const all = terms(task, strategy, name);
    expect(all.filter((t) => t.experience === 0).every((t) => Math.abs(t.value) < 1e-6)).toBe(true);
    expect(all.filter((t) => t.experience > 0).some((t) => t.value > 1e-7)).toBe(true);
  });

  test.each([
    ["", 0],
    [", its gradient cut", 0.01],
  ])("synaptic intelligence finds −g·Δθ / (Δ² + ε) after one plain step%s", (_, clip) => {
    const lr = 0.05;
    const once = { training: training({ batch: 1000, epochs: 1 }), optimizer: sgd({ lr }) };
    const session = open(spec(single, [si({ c: 1, epsilon: 0.1, clip })], once), 0, "test");
    const start = numbers(session.learner.weights);
    while (session.cursor.phase !== "after") session.advance();
    const moved = numbers(session.learner.weights).map((w, i) => w - start[i]!);
    session.advance();
    const { states } = decode(session.save()) as { states: { si: { tensors: { importance: unknown } } } };
    const importance = numbers(states.si.tensors.importance);
    disposeTree(states);
    session.dispose();
    const longest = Math.max(...moved.map(Math.abs));
    if (clip === 0) expect(longest).toBeGreaterThan(lr * 0.01 * 1.5);
    else expect(longest).toBeCloseTo(lr * clip, 6);
    // Plain descent moves by −lr·g, so −g·Δθ is Δ²/lr.
    importance.forEach((value, i) => {
      expect(value).toBeCloseTo(moved[i]! ** 2 / lr / (moved[i]! ** 2 + 0.1), 4);
    });
    expect(Math.max(...importance)).toBeGreaterThan(clip === 0 ? 1e-4 : 1e-5);
  });

  test("dark experience holds the network to the logits that it gave, and these are the ones of the pass before the update", () => {
    // With one example per batch and a rate of nearly 0 the logits of an example never change, so the term stays nearly 0.
    const still = terms(single, der({ capacity: 50, draw: 5, alpha: 1 }), "der", {
      optimizer: sgd({ lr: 1e-12 }),
      training: training({ batch: 1, epochs: 1 }),
    });
    expect(still.every((t) => Math.abs(t.value) < 1e-9)).toBe(true);
    const moving = terms(single, derpp({ capacity: 50, draw: 5, alpha: 1, beta: 0 }), "derpp");
    expect(moving.slice(3).some((t) => t.value > 1e-4)).toBe(true);
  });
});

describe("projections", () => {
  test("gpm with the whole of past inputs leaves what the network says of them as it is", () => {
    const session = learnt(1, domain, gpm({ share: 1, samples: 100 }));
    const { train } = domain.experience(0);
    const x = tf.tensor(
      gather(
        train,
        Uint32Array.from({ length: train.length }, (_, i) => i),
      ),
      [train.length, 3],
    );
    const said = (): number[] => {
      const { network, learner } = session;
      const features = network.features(learner.weights, x, tape(false, null, learner.statistics).mode);
      return [...network.logits(learner.weights, features).dataSync()];
    };
    const before = said();
    advance(session);
    said().forEach((value, i) => {
      expect(value).toBeCloseTo(before[i]!, 3);
    });
    session.dispose();
  });

  test("agem and gem change no step of the first experience", () => {
    const first = (strategy: Strategy): number[] => {
      const session = learnt(1, single, strategy);
      const weights = numbers(session.learner.weights);
      session.dispose();
      return weights;
    };
    const plain = first(naive());
    expect(first(agem())).toEqual(plain);
    expect(first(gem())).toEqual(plain);
  });
});

describe("closed forms do not depend on the order of the stream", () => {
  /** Accuracies on the tasks of the stream as it is, after all of it has come in some order. */
  const final = (strategy: Strategy, over: Stream, order: readonly number[]): number[] => {
    const at = new Map(
      run(spec(over, [strategy])).events.flatMap((e) =>
        e.type === "evaluated" && e.after === 2 ? [[order[e.on]!, e.accuracy]] : [],
      ) as [number, number][],
    );
    return [0, 1, 2].map((on) => at.get(on)!);
  };
  const turned: Stream = {
    ...single,
    experience: (i) => ({ ...single.experience(2 - i), index: i, task: i }),
    classesOf: (t) => single.classesOf(2 - t),
    test: (t) => single.test(2 - t),
    seeded: () => turned,
  };
  test.each([
    ["slda", slda({ of: "inputs", shrinkage: 0.1 })],
    ["ranpac", ranpac({ of: "features", units: 20 })],
    ["acil", acil({ of: "features", units: 20 })],
  ] as const)("%s", (_, strategy) => {
    const forward = final(strategy, single, [0, 1, 2]);
    expect(final(strategy, turned, [2, 1, 0])).toEqual(forward);
    expect(Math.max(...forward)).toBeGreaterThan(0.4);
  });
});

describe("errors come before any training", () => {
  const bad: [string, () => unknown, RegExp][] = [
    ["a negative strength", () => ewc({ lambda: -1 }), /ewc: lambda must be a number of at least 0, got -1/],
    ["a strength that is no number", () => lwf({ lambda: Number.NaN }), /lwf: option lambda must be a number, got NaN/],
    [
      "a memory of size 0",
      () => replay({ capacity: 0 }),
      /replay: capacity must be a whole number of at least 1, got 0/,
    ],
    ["half an example", () => der({ capacity: 1.5 }), /der: capacity must be a whole number/],
    ["a rule that does not exist", () => ewc({ fisher: "exact" as never }), /ewc: fisher must be "all"/],
    [
      "an option that does not exist",
      () => si({ lambda: 1 } as never),
      /si: no option lambda; it has c, epsilon, most/,
    ],
  ];
  test.each(bad)("%s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  test("two penalties by importance, two projections, a task that is not told", () => {
    expect(() => requireCompatible([ewc(), si()], single)).toThrow("ewc and si cannot be combined");
    expect(() => requireCompatible([gem(), agem()], single)).toThrow("each is a projection of the gradient");
    expect(() => requireCompatible([si({ clip: 1 }), agem()], single)).toThrow("si and agem cannot be combined");
    expect(() => requireCompatible([packnet()], single)).toThrow('a stream that tells "task" is required');
  });

  test("a network that a projection cannot see into", () => {
    expect(() => run(spec(single, [gpm()], { model: strategiesNet() }))).toThrow(
      "gpm: a model of dense layers and convolutions is required",
    );
  });
});

function strategiesNet() {
  return net().flatten().batchNorm().dense(4).relu() as never;
}
