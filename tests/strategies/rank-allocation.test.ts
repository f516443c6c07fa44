import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mapTensors, paths, random, type Tree, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import type { Params } from "../../lib/models/model.ts";
import type { Weights } from "../../lib/models/network.ts";
import { adam } from "../../lib/optim/index.ts";
import { adaLora, elaLora } from "../../lib/strategies/index.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { training } from "../../lib/train/index.ts";
import { open } from "../../lib/train/session.ts";
import {
  close,
  contextOf,
  dot,
  examplesOf,
  hooksOf,
  matrix,
  mean,
  normal,
  perceptron,
  small,
  stepOf,
  times,
  transposed,
} from "./by-hand.ts";
import { spec, stream } from "./support.ts";

type Terms = Record<string, { readonly left: number[]; readonly values: number[]; readonly right: number[] }>;
interface Peer {
  readonly x: number[];
  readonly y: number[];
  readonly loss: number;
  readonly logits: number[];
  readonly weights: Record<string, number[]>;
  readonly steps: { before: Terms; slope: Terms; moved: Terms; left: Record<string, number[]> }[];
}
const peer = JSON.parse(readFileSync(new URL("./peers/ada-lora.json", import.meta.url), "utf8")) as Peer;
const layers = { first: "2-dense/kernel", second: "4-dense/kernel" } as const;

/** An experience of so many steps, of batches of one. */
const experienceOf = (steps: number) => ({
  index: 0,
  task: 0,
  train: examplesOf(normal(steps, 4, 1), new Array(steps).fill(0) as number[]),
  validation: null,
  test: examplesOf(normal(1, 4, 2), [0]),
  classes: [0],
});

describe("adaLora, as that of peft", () => {
  const { net, weights: drawn } = small([5, 3], 4, 3);
  const rows = (flat: readonly number[], width: number): tf.Tensor2D =>
    tf.tensor2d([...flat], [flat.length / width, width]);
  const names = paths(drawn.model as Tree).map(([path]) => path);
  test("its layers are where the test looks", () => {
    expect(names).toEqual(expect.arrayContaining(Object.values(layers)));
  });
  const at: Record<string, string> = {
    "2-dense/kernel": "first.weight",
    "2-dense/bias": "first.bias",
    "4-dense/kernel": "second.weight",
    "4-dense/bias": "second.bias",
  };
  const placed = (tree: Params, prefix: string, of: Record<string, string>): Params =>
    Object.fromEntries(
      Object.entries(tree).map(([key, child]) =>
        child instanceof tf.Tensor
          ? [key, tf.tensor(peer.weights[of[`${prefix}${key}`]!]!, child.shape)]
          : [key, placed(child as Params, `${prefix}${key}/`, of)],
      ),
    ) as Params;
  const termsOf = (of: Terms): Params =>
    Object.fromEntries(
      Object.entries(layers).map(([layer, path]) => {
        const { left, values, right } = of[layer]!;
        return [path, { left: rows(left, 3), values: tf.tensor1d(values), right: rows(right, right.length / 3) }];
      }),
    ) as unknown as Params;
  const weightsWith = (of: Terms): Weights => ({
    ...drawn,
    model: placed(drawn.model, "", at),
    head: placed(drawn.head, "", { kernel: "head.weight", bias: "head.bias" }),
    added: { adaLora: termsOf(of) },
  });
  const settings = { rank: 3, target: 1, alpha: 6, begin: 0.17, end: 0.25, every: 2, orthogonal: 0.1 };
  const strategy = adaLora(settings);
  const hooks = hooksOf(strategy);
  const context = (weights: Weights) => contextOf(net, weights, { batch: 1, epochs: 1 });
  const x = Array.from({ length: 6 }, (_, i) => peer.x.slice(4 * i, 4 * i + 4));

  test("passes through the changed kernels, and its loss and slopes are those there", () => {
    const weights = weightsWith(peer.steps[0]!.before);
    const state = hooks.init(context(weights));
    const stepAt = (w: Weights) => stepOf({ net, weights: w, x, y: peer.y, through: { strategy, state } });
    const whole = (w: Weights): tf.Scalar => {
      const step = stepAt(w);
      return tf.add(step.crossEntropy(step.logits, step.y, null), hooks.loss(state, step)) as tf.Scalar;
    };
    close(matrix(stepAt(weights).logits).flat(), peer.logits);
    const { value, grads } = valueAndGrad(whole, weights);
    expect(value.dataSync()[0]).toBeCloseTo(peer.loss, 5);
    const slope = termsOf(peer.steps[0]!.slope);
    for (const [path, t] of paths((grads as Weights).added!.adaLora as unknown as Tree))
      close(
        [...t.dataSync()],
        [
          ...paths(slope as unknown as Tree)
            .find(([p]) => p === path)![1]
            .dataSync(),
        ],
      );
  });

  test("step after step the same terms are cut, come back, and are cut for good", () => {
    let state = hooks.beforeExperience({}, experienceOf(12), context(weightsWith(peer.steps[0]!.before)));
    for (const { before, slope, moved, left } of peer.steps) {
      const [was, then, by] = [before, moved, slope].map(weightsWith) as [Weights, Weights, Weights];
      const change = { before: was, after: then, slope: by, gradient: by };
      const now = hooks.weights(state, change, {} as never) as Weights;
      for (const [layer, path] of Object.entries(layers)) {
        const { values } = (now.added!.adaLora as unknown as Record<string, { values: tf.Tensor }>)[path]!;
        close([...values.dataSync()], left[layer]!, 6);
      }
      state = { ...state, carried: hooks.update(state, change, {} as never) };
    }
  });

  test("after an experience the change is added to what the kernels pass, and new terms change nothing", () => {
    const weights = weightsWith(peer.steps[0]!.before);
    const begun = hooks.init(context(weights));
    const next = hooks.afterExperience(begun, experienceOf(12), context(weights));
    const { left, values, right } = peer.steps[0]!.before.first!;
    const scaled = matrix(rows(left, 3)).map((row) => row.map((v, r) => 2 * v * values[r]!)); // 6 / 3
    close(matrix(next.tensors.past[layers.first]).flat(), times(scaled, matrix(rows(right, 5))).flat());
    const stepAt = (w: Weights, state: object) =>
      stepOf({ net, weights: w, x, y: peer.y, through: { strategy, state } });
    close(matrix(stepAt(next.weights, next).logits).flat(), peer.logits);
    expect(paths(next.weights.model as Tree).map(([, t]) => [...t.dataSync()])).toEqual(
      paths(weights.model as Tree).map(([, t]) => [...t.dataSync()]),
    );
  });

  test("a run ends with as many terms as asked for", () => {
    const given = spec(stream({ needs: [] } as never), [adaLora({ rank: 4, target: 2, alpha: 8 })], {
      model: mlp({ hidden: [5] }),
      optimizer: adam({ lr: 0.05 }),
      training: training({ batch: 4, epochs: 3 }),
    });
    const session = open(given, 0, "test");
    while (session.cursor.phase !== "after") session.advance();
    const own = session.learner.weights.added!.adaLora as unknown as Record<string, Record<string, tf.Tensor>>;
    expect([...own["2-dense/kernel"]!.values!.dataSync()].filter((v) => v !== 0)).toHaveLength(2);
    session.dispose();
    expect(() => adaLora({ rank: 2, target: 3 })).toThrow(/a target of at most the rank, 2, is required, got 3/);
  });
});

describe("elaLora (P178)", () => {
  const { net, weights: drawn } = small([5, 6], 4, 3, 2);
  const settings = { rank: 3, most: 5, moves: 3, each: 2, begin: 0.1, end: 0.2, every: 2 };
  const strategy: Strategy = elaLora(settings);
  const hooks = hooksOf(strategy);
  const context = contextOf(net, drawn, { batch: 1, epochs: 1 });
  const begun = hooks.parameters(context) as unknown as Record<string, Record<string, tf.Tensor>>;
  const own = Object.keys(begun);
  const seeded = (seed: number): Weights => {
    let next = 0;
    const added = mapTensors((t: tf.Tensor) => random(seed).at("terms", next++).normals(t.shape), begun);
    return { ...drawn, added: { elaLora: added as unknown as Params } };
  };
  const terms = (w: Weights, k: number) =>
    (w.added!.elaLora as unknown as Record<string, Record<string, tf.Tensor>>)[own[k]!]!;

  test("cuts the least of the kernels' least terms and gives to the kernels of the greatest of these", () => {
    const steps = 20; // begins after 2, ends before 16
    const start: Weights = { ...drawn, added: { elaLora: begun as unknown as Params } };
    let state = hooks.beforeExperience({}, experienceOf(steps), { ...context, weights: start });
    const active = (): number[][] => matrix(state.carried.active);
    // what the program does, in plain arithmetic: smoothed scores, sorted lists
    const kinds = ["left", "values", "right"] as const;
    const flat = (t: tf.Tensor): number[] => [...t.dataSync()];
    const scores = own.map((_, k) =>
      Object.fromEntries(kinds.map((kind) => [kind, flat(terms(start, k)[kind]!).map(() => ({ s: 0, u: 0 }))])),
    ) as Record<(typeof kinds)[number], { s: number; u: number }[]>[];
    const column = (kind: (typeof kinds)[number], at: number, r: number, width: number): boolean =>
      kind === "left" ? at % 5 === r : kind === "values" ? at === r : Math.floor(at / width) === r;
    let changes = 0;
    for (let t = 1; t <= steps; t++) {
      const [before, after, slope] = [seeded(3 * t), seeded(3 * t + 1), seeded(3 * t + 2)];
      const had = active();
      const change = { before, after, slope, gradient: slope };
      const now = hooks.weights(state, change, { rng: random(t) } as never) as Weights;
      state = { ...state, carried: hooks.update(state, change, {} as never) };
      const has = active();
      if (t < 16)
        for (const [k] of own.entries())
          for (const kind of kinds) {
            const [w, g] = [flat(terms(before, k)[kind]!), flat(terms(slope, k)[kind]!)];
            for (const [i, one] of scores[k]![kind].entries()) {
              const now = Math.abs(w[i]! * g[i]!);
              one.s = 0.85 * one.s + 0.15 * now;
              one.u = 0.85 * one.u + 0.15 * Math.abs(now - one.s);
            }
          }
      const matters = own.map((_, k) =>
        had[k]!.map((_, r) =>
          kinds.reduce((sum, kind) => {
            const width = terms(start, k).right!.shape[1]!;
            const mine = scores[k]![kind].filter((_, at) => column(kind, at, r, width));
            return sum + mean(mine.map(({ s, u }) => s * u));
          }, 0),
        ),
      );
      const expected = had.map((row) => [...row]);
      const fresh: [k: number, r: number][] = [];
      if (t > 2 && t < 16 && (t - 2) % 2 === 0) {
        const count = Math.round(3 * (1 - ((t - 2) / 14) ** 3));
        const pool = own.flatMap((_, k) => {
          const there = had[k]!.flatMap((a, r) => (a > 0 ? [r] : [])).sort((a, b) => matters[k]![a]! - matters[k]![b]!);
          return there.slice(0, Math.min(2, there.length - 1)).map((r) => ({ k, r, value: matters[k]![r]! }));
        });
        const sorted = [...pool].sort((a, b) => a.value - b.value);
        const room = own.map((_, k) => 5 - had[k]!.reduce((a, b) => a + b, 0));
        const gains = [...sorted].reverse().filter(({ k }) => room[k]!-- > 0);
        const moving = Math.min(count, sorted.length, gains.length);
        for (const { k, r } of sorted.slice(0, moving)) expected[k]![r] = 0;
        for (const { k } of gains.slice(0, moving)) {
          const r = expected[k]!.indexOf(0);
          expected[k]![r] = 1;
          fresh.push([k, r]);
        }
        changes += moving;
      }
      expect(has).toEqual(expected);
      for (const [k, row] of has.entries()) {
        const { left, values, right } = terms(now, k);
        const columns = { left: transposed(matrix(left!)), right: matrix(right!) };
        for (const [r, a] of row.entries()) {
          const isFresh = fresh.some(([i, j]) => i === k && j === r);
          const value = flat(values!)[r]!;
          if (a === 0 || isFresh) expect(Math.abs(value)).toBe(0);
          else expect(value).toBe(flat(terms(after, k).values!)[r]);
          if (isFresh)
            for (const vectors of Object.values(columns)) expect(dot(vectors[r]!, vectors[r]!)).toBeCloseTo(1, 4);
          else if (a === 0) close(columns.left[r]!, transposed(matrix(terms(before, k).left!))[r]!, 6);
        }
      }
      for (const [k, r] of fresh)
        for (const kind of kinds)
          for (const [at, one] of scores[k]![kind].entries())
            if (column(kind, at, r, terms(start, k).right!.shape[1]!)) Object.assign(one, { s: 0, u: 0 });
      for (const [k, row] of has.entries())
        for (const [r, a] of row.entries())
          if (a === 0)
            for (const kind of kinds)
              for (const [at, one] of scores[k]![kind].entries())
                if (column(kind, at, r, terms(start, k).right!.shape[1]!)) Object.assign(one, { s: 0, u: 0 });
    }
    expect(changes).toBeGreaterThan(6);
    expect(
      active()
        .flat()
        .reduce((a, b) => a + b),
    ).toBe(own.length * 3);
  });

  test("a new term is orthogonal to orthonormal ones that are there, and the regulariser sees those that are there alone", () => {
    const [k, width] = [0, 4];
    const basis = tf.eye(5).slice([0, 0], [width, 5]);
    const start: Weights = {
      ...drawn,
      added: {
        elaLora: mapTensors(
          (t: tf.Tensor) =>
            t.rank === 2 && t.shape[1] === 5 ? tf.eye(5).slice([0, 0], t.shape as [number, number]) : t,
          begun,
        ) as unknown as Params,
      },
    };
    expect(terms(start, k).left!.shape).toEqual(basis.shape);
    const state = hooks.beforeExperience({}, experienceOf(4), { ...context, weights: start });
    const step = stepOf({ net, weights: start, x: normal(3, 4, 1), through: { strategy, state } });
    const term = (hooks.loss(state, step) as tf.Scalar).dataSync()[0]!;
    const norms = own.flatMap((_, at) => {
      const { left, right } = terms(start, at);
      const three = (rows: number[][]): number[][] => rows.slice(0, 3);
      return [three(transposed(matrix(left!))), three(matrix(right!))].map((rows) =>
        Math.hypot(...times(rows, transposed(rows)).flatMap((row, i) => row.map((v, j) => v - +(i === j)))),
      );
    });
    expect(term).toBeCloseTo(0.1 * mean(norms), 5);
  });

  test("runs keep as many terms as they began with", () => {
    const given = spec(stream({ needs: [] } as never), [elaLora({ rank: 2, most: 4, every: 2, moves: 2 })], {
      model: mlp({ hidden: [5, 6] }),
      optimizer: adam({ lr: 0.05 }),
      training: training({ batch: 4, epochs: 3 }),
    });
    const session = open(given, 0, "test");
    while (session.cursor.phase !== "after") session.advance();
    const { active } = session.learner.carried.elaLora as unknown as { readonly active: tf.Tensor };
    const ranks = matrix(active).map((row) => row.reduce((a, b) => a + b, 0));
    expect(ranks.reduce((a, b) => a + b, 0)).toBe(4);
    const x = normal(3, 3, 1);
    expect(perceptron(session.learner.weights, x).logits).toHaveLength(3);
    session.dispose();
  });
});
