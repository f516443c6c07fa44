import { describe, expect, test } from "vitest";
import { mapTensors, paths, random, type Tree, tf } from "../../lib/engine/index.ts";
import { clr, inputTuning, mlp, net, network, normTuning, resnet18, taps } from "../../lib/models/index.ts";
import { countParameters, type Model, type Params, tape } from "../../lib/models/model.ts";
import type { Weights } from "../../lib/models/network.ts";
import { adam } from "../../lib/optim/index.ts";
import { fishMask, incrementalRank, loraMerge, sara, taskAdapters } from "../../lib/strategies/index.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { evaluation, training } from "../../lib/train/index.ts";
import { trainedGrad } from "../../lib/train/parts/trained.ts";
import { open, type Session } from "../../lib/train/session.ts";
import {
  close,
  contextOf,
  examplesOf,
  hooksOf,
  matrix,
  normal,
  perceptron,
  slopes,
  small,
  stepOf,
  times,
} from "./by-hand.ts";
import { advance, numbers, spec, stream } from "./support.ts";

const over = () => stream({ needs: ["task", "boundary"] } as never);
const flat = (of: Params): number[] => numbers(of);
const runOf = (model: Model, strategies: readonly Strategy[], optimizer = adam({ lr: 0.02 })) =>
  spec(over(), strategies, { model, optimizer, training: training({ batch: 6, epochs: 3 }) });

/** Goes on until a phase is to begin. */
function until(session: Session, phase: Session["cursor"]["phase"]): void {
  while (session.cursor.phase !== phase) session.advance();
}

/** The losses on the first task at the end of each experience. */
function onFirst(given: ReturnType<typeof runOf>): number[] {
  const session = open(given, 1, "test");
  const events = advance(session);
  session.dispose();
  return events.flatMap((event) => (event.type === "evaluated" && event.on === 0 ? [event.loss] : []));
}

describe("fishMask (P175)", () => {
  const { net, weights } = small([4], 3, 2);
  const [x, y] = [normal(8, 3, 1), [0, 1, 0, 1, 1, 0, 0, 1]];
  const strategy = fishMask({ keep: 0.25, samples: 8 });
  const experience = { index: 0, task: 0, train: examplesOf(x, y), classes: [0, 1] };
  const context = contextOf(net, weights);
  const state = hooksOf(strategy).beforeExperience(hooksOf(strategy).init(context), experience as never, context);

  test("trains the quarter of the model's numbers whose squared slopes are largest, found by differences", () => {
    const squares = new Array(16).fill(0) as number[]; // 3·4 + 4 numbers of the model
    for (const [i, row] of x.entries()) {
      const slope = slopes(weights, (layers) => {
        const z = perceptron(layers, [row]).logits[0]!;
        return Math.log(z.reduce((sum, v) => sum + Math.exp(v), 0)) - z[y[i]!]!;
      });
      for (let at = 0; at < 16; at++) squares[at]! += slope[at]! ** 2;
    }
    const least = [...squares].sort((a, b) => b - a)[3]!;
    expect(flat(state.tensors.mask)).toEqual(squares.map((v) => (v >= least ? 1 : 0)));
  });

  test("all others stay bit for bit, whatever the optimizer, and the head is trained", () => {
    const given = runOf(mlp({ hidden: [6] }), [fishMask({ keep: 0.1 })]);
    const session = open(given, 1, "test");
    session.advance();
    const before = flat(session.learner.weights.model);
    const head = flat(session.learner.weights.head);
    advance(session);
    const after = flat(session.learner.weights.model);
    expect(before.filter((v, i) => v !== after[i])).toHaveLength(Math.round(0.1 * before.length));
    expect(flat(session.learner.weights.head)).not.toEqual(head);
    session.dispose();
  });
});

describe("sara (P446)", () => {
  test("trains the smallest numbers of the kernels alone, and after half of the steps those that are still small", () => {
    const own = runOf(mlp({ hidden: [8] }), [sara({ fraction: 0.25 })], adam({ lr: 0.05 }));
    const session = open({ ...own, evaluation: evaluation({ atStart: false, everySteps: 6 }) }, 1, "test");
    session.advance();
    const kernel = (): number[] => flat((session.learner.weights.model["2-dense"] as Params).kernel as never);
    const biases = (): number[] => flat((session.learner.weights.model["2-dense"] as Params).bias as never);
    const [before, bias] = [kernel(), biases()];
    const bound = [...before].map(Math.abs).sort((a, b) => a - b)[5]!; // a quarter of 24
    /** Trains until a step; gives which of the small numbers moved, and the others, which must not. */
    const moved = (until: number): { readonly small: number; readonly moved: number; readonly others: number } => {
      const from = kernel();
      advance(session, until);
      const now = kernel();
      const is = from.map((v) => Math.abs(v) <= bound);
      const count = (of: (v: number, i: number) => boolean): number => from.filter(of).length;
      return {
        small: count((_, i) => is[i]!),
        moved: count((v, i) => is[i]! && v !== now[i]),
        others: count((v, i) => !is[i]! && v !== now[i]),
      };
    };
    const first = moved(6); // of 12
    expect([first.small, first.others]).toEqual([6, 0]);
    expect(first.moved).toBeGreaterThan(2);
    const second = moved(12);
    expect(second.small).toBeLessThan(6); // some have grown, and stay as they are
    expect(second.moved).toBeGreaterThan(0);
    expect(second.others).toBe(0);
    expect(biases()).toEqual(bias);
    session.dispose();
  });

  test("the penalty's slope is U Vᵀ of the trained part", () => {
    const { net, weights } = small([2], 2, 2);
    const turn = (angle: number): number[][] => [
      [Math.cos(angle), -Math.sin(angle)],
      [Math.sin(angle), Math.cos(angle)],
    ];
    const kernel = times(
      times(turn(0.4), [
        [3, 0],
        [0, 1],
      ]),
      turn(-1.1),
    );
    const at = mapTensors((t: tf.Tensor) => t, weights) as Weights & { model: Record<string, Params> };
    const [layer] = Object.keys(at.model) as [string];
    const own = {
      ...at,
      model: { [layer]: { ...at.model[layer], kernel: tf.tensor2d(kernel) } },
    } as unknown as Weights;
    const strategy = sara({ fraction: 1, nuclear: 0.5 });
    const state = hooksOf(strategy).init(contextOf(net, own));
    const zero = mapTensors((t: tf.Tensor) => tf.zerosLike(t), own);
    const step = stepOf({ net, weights: own, x: normal(2, 2, 1) });
    const found = hooksOf(strategy).gradient(state, zero, step) as Weights;
    const slope = matrix((found.model[layer] as Params).kernel as tf.Tensor).flat();
    close(
      slope,
      times(turn(0.4), turn(-1.1))
        .flat()
        .map((v) => v / 2),
      3,
    );
  });
});

describe("loraMerge (P262)", () => {
  test("after an experience what was learnt is part of the kernels, whose own numbers never move", () => {
    const given = runOf(mlp({ hidden: [6] }), [loraMerge({ rank: 2, alpha: 4 })]);
    const session = open(given, 1, "test");
    session.advance();
    const before = flat(session.learner.weights.model);
    const own = () =>
      (session.learner.weights.added!.loraMerge as Params)["2-dense/kernel"] as Record<string, tf.Tensor>;
    const dense = (): { kernel: number[][]; bias: number[] } => {
      const { kernel, bias } = session.learner.weights.model["2-dense"] as Record<string, tf.Tensor>;
      return { kernel: matrix(kernel!), bias: [...bias!.dataSync()] };
    };
    let past = Array.from({ length: 3 }, () => new Array(6).fill(0) as number[]);
    for (let experience = 0; experience < 3; experience++) {
      until(session, "after");
      const change = times(matrix(own().down!), matrix(own().up!)).map((row) => row.map((v) => 2 * v)); // 4 / 2
      expect(change.flat().some((v) => Math.abs(v) > 1e-3)).toBe(true);
      past = past.map((row, i) => row.map((v, j) => v + change[i]![j]!));
      session.advance(); // it is merged
      expect([...own().up!.dataSync()].every((v) => v === 0)).toBe(true);
      if (experience < 2) until(session, "train");
    }
    expect(flat(session.learner.weights.model)).toEqual(before);
    // the loss that is told of the last evaluation is that of W + past
    const { kernel, bias } = dense();
    const layers = [{ kernel: kernel.map((row, i) => row.map((v, j) => v + past[i]![j]!)), bias }];
    const { kernel: head, bias: last } = session.learner.weights.head as Record<string, tf.Tensor>;
    const test = given.stream.test(2);
    const raw = new Float32Array(test.examples.length * 3);
    test.examples.read(
      Uint32Array.from({ length: test.examples.length }, (_, i) => i),
      raw,
    );
    const rows = Array.from({ length: test.examples.length }, (_, i) => [...raw.slice(i * 3, i * 3 + 3)]);
    const z = perceptron([...layers, { kernel: matrix(head!), bias: [...last!.dataSync()] }], rows).logits;
    const losses = z.map((row, i) => {
      const open = test.classes.map((c) => row[c]!);
      return Math.log(open.reduce((sum, v) => sum + Math.exp(v), 0)) - row[test.examples.labels[i]!]!;
    });
    session.queue.length = 0;
    const events = advance(session).filter((event) => event.type === "evaluated" && event.on === 2);
    const told = events.at(-1) as { loss: number };
    expect(told.loss).toBeCloseTo(losses.reduce((a, b) => a + b, 0) / losses.length, 4);
    session.dispose();
  });
});

describe("what each task has of its own", () => {
  const models: Record<string, Model> = {
    "taskAdapters with normTuning": (net().dense(6).layerNorm().relu() as unknown as Model).adapt(normTuning()),
    "taskAdapters with taps (P280)": mlp({ hidden: [6] }).adapt(taps({ lambda: 0.01 })),
  };
  test.each(Object.entries(models))("%s: a task's answers never change again", (_, model) => {
    const first = onFirst(runOf(model, [taskAdapters()]));
    expect(first).toHaveLength(3);
    expect(first[1]).toBe(first[0]);
    expect(first[2]).toBe(first[0]);
    const shared = onFirst(runOf(model, []));
    expect(shared[2]).not.toBe(shared[0]);
  });

  test("incrementalRank (P063): neither do they there, and a kernel is the sum of its ranks as the task takes them", () => {
    const given = runOf(mlp({ hidden: [6] }), [incrementalRank({ first: 3, rank: 1 })]);
    const first = onFirst(given);
    expect([first[1], first[2]]).toEqual([first[0], first[0]]);
    const session = open(given, 1, "test");
    while (session.cursor.experience < 1 || session.cursor.phase !== "after") session.advance();
    const own = (session.learner.weights.added!.incrementalRank as Params)["2-dense/kernel"] as Record<
      string,
      tf.Tensor
    >;
    const [left, right, selector] = ["left", "right", "selector"].map((name) => matrix(own[name]!)) as [
      number[][],
      number[][],
      number[][],
    ];
    expect(left).toHaveLength(5); // 3 + 1 + 1
    const [one, two, three] = selector as [number[], number[], number[]];
    expect(one.slice(3)).toEqual([0, 0]);
    expect(two.slice(0, 4).every((v) => v !== 0)).toBe(true); // it has learnt what it takes of the first's
    expect([two[4], ...three]).toEqual([0, 0, 0, 0, 0, 1]);
    const strategy = given.strategies[0]!;
    const kernel = left[0]!.map((_, i) =>
      right[0]!.map((_, j) => two.reduce((sum, s, r) => sum + s * left[r]![i]! * right[r]![j]!, 0)),
    );
    const x = normal(4, 3, 2);
    const { bias } = session.learner.weights.model["2-dense"] as Record<string, tf.Tensor>;
    const hidden = times(x, kernel).map((row) => row.map((v, j) => Math.max(0, v + bias!.dataSync()[j]!)));
    const net = network(mlp({ hidden: [6] }), [3]);
    const context = contextOf(net, session.learner.weights, { stream: { tasks: 3 } as never });
    const begun = hooksOf(strategy).init(context);
    const state = [0, 1].reduce(
      (now, task) => hooksOf(strategy).beforeExperience(now, { task } as never, context),
      begun,
    );
    const { weights } = session.learner;
    const plain = (w: Weights) => {
      const features = net.features(w, tf.tensor2d(x), tape(false, null, {}).mode);
      return { features, logits: net.logits(w, features) };
    };
    const out = hooksOf(strategy).forward(state, {
      network: net,
      weights,
      task: tf.tensor1d([1, 1, 1, 1], "int32"),
      training: false,
      plain,
    } as never);
    close(matrix(out.features).flat(), hidden.flat());
    session.dispose();
  });

  test("taskAdapters asks for something that is trained", () => {
    const given = runOf(mlp({ hidden: [6] }), [taskAdapters({ of: "*none" })]);
    expect(() => advance(open(given, 1, "test"))).toThrow(
      "a model with something of its own for each task is required",
    );
  });
});

describe("clr (P029)", () => {
  test("each channel passes through a filter of its own", () => {
    const model = (net().conv(2, 1, { bias: false }) as unknown as Model).adapt(clr());
    const left = [0, 0, 0, 0, 0, 1, 0, 0, 0]; // what is to the right comes here
    const filter = Float32Array.from({ length: 18 }, (_, i) => (i % 2 === 0 ? (i === 8 ? 2 : 0) : left[(i - 1) / 2]!));
    const params = {
      "1-conv": {
        kernel: tf.tensor4d([1, 10], [1, 1, 1, 2]),
        adapters: { clr: { filter: tf.tensor4d(filter, [3, 3, 2, 1]) } },
      },
    };
    const x = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
    close([...model.apply(params, x, tape(false, null, {}).mode).dataSync()], [2, 20, 4, 0, 6, 40, 8, 0]);
  });

  test("begins as doing nothing and trains less than 0.6 % of a residual network, as in the paper", () => {
    const plain = resnet18({ filters: 64 });
    const model = plain.adapt(clr());
    const shape = [8, 8, 3];
    const [own, with_] = [plain, model].map((of) => of.summary(shape).reduce((sum, row) => sum + row.parameters, 0));
    expect((with_! - own!) / own!).toBeLessThan(0.006);
    expect(with_! - own!).toBe(9 * 4800); // as many channels as its convolutions give
    const little = net().conv(3, 3).relu().conv(2, 3) as unknown as Model;
    const x = random(1).uniforms([2, 5, 5, 1]);
    const [a, b] = [little, little.adapt(clr())].map((of) =>
      of.apply(of.init(random(2), [5, 5, 1]), x, tape(false, null, {}).mode).dataSync(),
    );
    close([...a!], [...b!]);
  });
});

describe("taps (P280)", () => {
  const graded = (gate: number, lambda = 0.5) => {
    const model = (net().dense(2, { bias: false }).dense(1) as unknown as Model).adapt(
      taps({ lambda, on: ["1-dense", "2-dense"] }),
    );
    const of = network(model, [2]);
    const drawn = of.init(random(1), 2);
    const first = drawn.model["1-dense"] as { kernel: tf.Tensor; adapters: { taps: Params } };
    const change = tf.tensor2d([
      [1, 0],
      [0, 2],
    ]);
    const own = { ...first.adapters.taps, change, gate: tf.scalar(gate) };
    const model_ = { ...drawn.model, "1-dense": { kernel: tf.zeros([2, 2]), adapters: { taps: own } } };
    const weights = { ...drawn, model: model_ } as Weights;
    const x = tf.tensor2d([[1, 3]]);
    const only = (w: Weights): tf.Tensor => {
      let seen: tf.Tensor | undefined;
      of.features(
        w,
        x,
        tape(true, null, {}, (path, _i, y) => {
          if (path.at(-1) === "1-dense") seen = y;
          return y;
        }).mode,
      );
      return seen!;
    };
    const { grads } = trainedGrad((w) => tf.sum(only(w)), weights, of.frozen);
    const at = ((grads.model["1-dense"] as Params).adapters as { taps: Record<string, tf.Tensor> }).taps;
    return { y: [...only(weights).dataSync()], gate: at.gate!.dataSync()[0]!, change: [...at.change!.dataSync()] };
  };

  test("a change counts where its gate is at least the threshold; the gate's slope passes the step, with the penalty", () => {
    const [open, shut] = [graded(0.1), graded(0.09)];
    expect(open.y).toEqual([1, 6]);
    expect(shut.y).toEqual([0, 0]);
    expect(open.change).toEqual([1, 1, 3, 3]);
    expect(shut.change).toEqual([0, 0, 0, 0]);
    for (const { gate } of [open, shut]) expect(gate).toBeCloseTo(7 + 0.5 / 2, 5); // of two layers
    expect(graded(-0.2).gate).toBeCloseTo(7 - 0.5 / 2, 5);
  });
});

describe("inputTuning (P193)", () => {
  test("numbers are multiplied and added before the first layer alone, which stays as it is", () => {
    const model = (net().dense(2).relu().dense(2) as unknown as Model).adapt(inputTuning({ transform: "affine" }));
    const all = paths(model.init(random(0), [3]) as Tree).map(([path]) => path);
    expect(all.filter((path) => path.includes("adapters"))).toEqual([
      "1-dense/adapters/inputTuning/add",
      "1-dense/adapters/inputTuning/factor",
    ]);
    const params = model.init(random(1), [3]) as Record<string, Params>;
    const own = { inputTuning: { add: tf.tensor1d([1, 0, -1]), factor: tf.tensor1d([2, 1, 0]) } };
    const tuned = { ...params, "1-dense": { ...params["1-dense"], adapters: own } } as Params;
    const plain = net().dense(2).relu().dense(2) as unknown as Model;
    const { mode } = tape(false, null, {});
    close(
      [...model.apply(tuned, tf.tensor2d([[3, 4, 5]]), mode).dataSync()],
      [...plain.apply(params, tf.tensor2d([[7, 4, -1]]), mode).dataSync()],
    );
  });

  test("a number for each place, or for each channel of an image; tokens have none", () => {
    const image = net().conv(3, 3).flatten() as unknown as Model;
    const trained = (model: Model): number =>
      countParameters(model.init(random(0), [4, 4, 2])) - countParameters(image.init(random(0), [4, 4, 2]));
    expect(trained(image.adapt(inputTuning()))).toBe(32);
    expect(trained(image.adapt(inputTuning({ of: "channel", transform: "affine" })))).toBe(4);
    const text = net().embedding(5, 4).last() as unknown as Model;
    expect(() => text.adapt(inputTuning()).init(random(0), [3])).toThrow(
      "examples of numbers are required, got tokens",
    );
  });
});
