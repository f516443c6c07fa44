import { describe, expect, test } from "vitest";
import { kMeans } from "../../lib/data/parts/k-means.ts";
import { decode, random, tf } from "../../lib/engine/index.ts";
import type { Params } from "../../lib/models/model.ts";
import { color, infLora, keyValueBottleneck, pmoe, sdLora, spu } from "../../lib/strategies/index.ts";
import { renewed, without } from "../../lib/strategies/parts/dual-memory.ts";
import type { LowRank } from "../../lib/strategies/parts/low-rank.ts";
import { largestShare } from "../../lib/strategies/regularisation/spu.ts";
import { open } from "../../lib/train/session.ts";
import { block as attentiveBlock, begun, blockPaths, featuresWith, sequences } from "./attentive.ts";
import { contextOf, examplesOf, hooksOf, matrix, normal, small, stepOf } from "./by-hand.ts";
import { modelFor, numbers, run, spec, stream } from "./support.ts";

const close = (a: ArrayLike<number>, b: ArrayLike<number>, digits = 4): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(a[i]!).toBeCloseTo(b[i]!, digits);
};
const low = (seed: number, parts: readonly string[], rank = 2): Record<string, LowRank> =>
  Object.fromEntries(
    [0, 1].flatMap((block) =>
      parts.map((part) => {
        const rng = random(seed).at(block, part);
        return [`${block}-${part}`, { down: rng.at("d").normals([4, rank]), up: rng.at("u").normals([rank, 4]) }];
      }),
    ),
  );
/** What is added to the products of a block. */
const into = (block: number, by: (name: string) => tf.Tensor | undefined) => ({
  product: (part: string, x: tf.Tensor): tf.Tensor => {
    const change = by(`${block}-${part}`);
    if (change === undefined) return tf.scalar(0);
    return tf.reshape(tf.matMul(tf.reshape(x, [-1, 4]) as tf.Tensor2D, change as tf.Tensor2D), x.shape);
  },
});
const product = ({ down, up }: LowRank): tf.Tensor => tf.matMul(down as tf.Tensor2D, up as tf.Tensor2D);

describe("SD-LoRA", () => {
  test("adds its own change by its size, and past directions of length 1 by theirs", () => {
    const [own, past] = [low(1, ["query", "value"]), low(2, ["query", "value"])];
    const { net, weights } = begun({ sdLora: { change: own, size: tf.tensor1d([0.5, 2, 1]) } });
    const x = normal(3, 12, 3);
    const through = { strategy: sdLora({ rank: 2 }), state: { tensors: { past: [past] } } };
    const by = (name: string): tf.Tensor | undefined => {
      if (own[name] === undefined) return undefined;
      const { down, up } = past[name]!;
      const size = Math.hypot(...down.dataSync()) * Math.hypot(...up.dataSync());
      return tf.add(tf.mul(product(own[name]!), 2), tf.mul(product(past[name]!), 0.5 / size));
    };
    const step = stepOf({ net, weights, x, through });
    close(step.features.dataSync(), featuresWith(weights, sequences(x), [into(0, by), into(1, by)]).dataSync(), 3);
  });
});

describe("PMoE (P104)", () => {
  const parts = ["query", "key", "value", "out"];
  const block = (all: Record<string, LowRank>, wanted: number) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith(`${wanted}-`)));

  test("changes the shallow block by what is shared, and the deep one by each expert's share at each place", () => {
    const [shared, own, past] = [block(low(1, parts), 0), block(low(2, parts), 1), block(low(3, parts), 1)];
    const router = random(4).normals([4, 3]);
    const { net, weights } = begun({ pmoe: { shared, expert: own, router } });
    const x = normal(3, 12, 5);
    const through = { strategy: pmoe({ rank: 2 }), state: { tensors: { past: [past] } } };
    const step = stepOf({ net, weights, x, through });
    // what comes into the deep block: the shallow one by its formula
    const by = (name: string): tf.Tensor | undefined => (shared[name] ? product(shared[name]) : undefined);
    const h = attentiveBlock(weights.model[blockPaths[0]!.slice("model/".length)] as Params, sequences(x), into(0, by));
    const logits = tf.matMul(tf.reshape(h, [9, 4]) as tf.Tensor2D, tf.slice(router, [0, 0], [4, 2]) as tf.Tensor2D);
    const shares = (tf.softmax(logits).arraySync() as number[][]).map(([a, b]) => [a!, b!] as const);
    const deep = {
      product: (part: string, rows: tf.Tensor): tf.Tensor => {
        const flat = tf.reshape(rows, [9, 4]) as tf.Tensor2D;
        const each = [past, own].map((of) => matrix(tf.matMul(flat, product(of[`1-${part}`] ?? none) as tf.Tensor2D)));
        const mixed = shares.map(([a, b], i) => each[0]![i]!.map((v, j) => a * v + b * each[1]![i]![j]!));
        return tf.reshape(tf.tensor2d(mixed), rows.shape);
      },
    };
    const none: LowRank = { down: tf.zeros([4, 2]), up: tf.zeros([2, 4]) };
    const attention = {
      product: (part: string, rows: tf.Tensor) => (parts.includes(part) ? deep.product(part, rows) : tf.scalar(0)),
    };
    close(step.features.dataSync(), featuresWith(weights, sequences(x), [into(0, by), attention]).dataSync(), 3);
  });

  test("an expert that is new changes nothing but takes its share, and old experts and the network stay", () => {
    const session = open(spec(stream(pmoe as never), [pmoe({ rank: 2 })]), 0, "test");
    const seen: { past: number[][]; expert: number[]; up: number }[] = [];
    const frozen = numbers(session.learner.weights.model);
    while (session.advance()) {
      const { phase, local } = session.cursor;
      if (phase !== "train" || local !== 0) continue;
      const { states } = decode(session.save()) as unknown as { states: { pmoe: { tensors: { past?: unknown[] } } } };
      const { expert } = session.learner.weights.added!.pmoe as unknown as { expert: Record<string, LowRank> };
      const up = Object.values(expert).reduce(
        (sum, { up }) => sum + numbers(up).reduce((s, v) => s + Math.abs(v), 0),
        0,
      );
      seen.push({ past: (states.pmoe.tensors.past ?? []).map(numbers), expert: numbers(expert), up });
    }
    expect(numbers(session.learner.weights.model)).toEqual(frozen);
    session.dispose();
    expect(seen.map(({ past, up }) => [past.length, up])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
    expect(seen[2]!.past[0]).toEqual(seen[1]!.past[0]);
    expect(seen[1]!.past[0]).not.toEqual(seen[0]!.expert);
  });

  test("columns of the router of experts still to come have no part", () => {
    const [shared, own, past] = [block(low(1, parts), 0), block(low(2, parts), 1), block(low(3, parts), 1)];
    const router = random(4).normals([4, 3], 0, 0.3);
    const { net, weights } = begun({ pmoe: { shared, expert: own, router } });
    const through = { strategy: pmoe({ rank: 2 }), state: { tensors: { past: [past] } } };
    const at = (r: tf.Tensor): number => {
      const given = { ...weights, added: { pmoe: { shared, expert: own, router: r } as never } };
      return tf.sum(stepOf({ net, weights: given, x: normal(2, 12, 6), through }).features).dataSync()[0]!;
    };
    const moved = (by: number, column: number): tf.Tensor =>
      tf.add(
        router,
        tf.tensor2d(Array.from({ length: 4 }, (_, i) => [0, 1, 2].map((c) => (i === 1 && c === column ? by : 0)))),
      );
    expect(at(moved(0.5, 2))).toBeCloseTo(at(router), 5);
    expect(Math.abs(at(moved(0.5, 1)) - at(router))).toBeGreaterThan(1e-4);
  });

  test("says that a block must be deep", () => {
    expect(() => run(spec(stream(pmoe as never), [pmoe({ shallow: 1 })]))).toThrow("pmoe: a deep block is required");
  });
});

describe("InfLoRA", () => {
  const diagonal = (...values: number[]): Float64Array =>
    Float64Array.from({ length: values.length ** 2 }, (_, i) =>
      i % values.length === Math.floor(i / values.length) ? values[i % values.length]! : 0,
    );
  const span = (rows: readonly Float64Array[]): number[][] =>
    rows.map((row) => [...row].map((v) => Math.round(Math.abs(v) * 1e6) / 1e6));

  test("keeps the directions that hold a share of the squares, and from more than half on the others", () => {
    // Squares of the singular values: 100, 36, 4, 1 of 141.
    const first = renewed(undefined, diagonal(10, 6, 2, 1), 0.9);
    expect([first.kind, span(first.rows)]).toEqual(["remove", [[1, 0, 0, 0]]]);
    // 16 + 9 of 26 are new, of which the first makes 17/26, both 26/26.
    const second = renewed(first, diagonal(1, 0, 4, 3), 0.6);
    expect([second.kind, span(second.rows)]).toEqual([
      "remove",
      [
        [1, 0, 0, 0],
        [0, 0, 1, 0],
      ],
    ]);
    const third = renewed(second, diagonal(1, 4, 1, 0), 0.5);
    expect(third.kind).toBe("retain");
    expect(span(third.rows)).toEqual([[0, 0, 0, 1]]);
    // What may still be used is given up where inputs lie there.
    expect(renewed(third, diagonal(1, 1, 1, 9), 0.9).rows).toEqual([]);
    expect(span(renewed(third, diagonal(9, 9, 9, 0.1), 0.9).rows)).toEqual([[0, 0, 0, 1]]);
  });

  test("takes out of inputs what steps must not have, or leaves only what they may", () => {
    const rows = [Float64Array.from([1, 0])];
    close(without(Float64Array.from([4, 1, 1, 3]), { kind: "remove", rows }), [0, 0, 1, 3]);
    close(without(Float64Array.from([4, 1, 1, 3]), { kind: "retain", rows }), [4, 1, 0, 0]);
  });

  test("chooses a way down that sees nothing of the directions that past gradients used", () => {
    const up = Object.fromEntries(Object.keys(low(1, ["key", "value"])).map((name) => [name, tf.ones([1, 4])]));
    const { net, weights } = begun({ infLora: up });
    const unit = Float64Array.from([0.6, 0.8, 0, 0]);
    const directions = [0, 1].map(() => ({ kind: "remove", rows: [unit] }));
    const experience = { train: examplesOf(normal(20, 12, 6), new Array<number>(20).fill(0)), index: 0, classes: [0] };
    const { tensors, weights: next } = hooksOf(infLora({ rank: 1 })).beforeExperience(
      { directions, tensors: {} },
      experience as never,
      contextOf(net, weights),
    );
    for (const down of Object.values(tensors.down) as tf.Tensor[]) {
      const column = [...down.dataSync()];
      expect(column.reduce((s, v, j) => s + v * unit[j]!, 0)).toBeCloseTo(0, 5);
      expect(Math.hypot(...column)).toBeCloseTo(1 / Math.sqrt(3), 5);
    }
    expect(numbers(next.added.infLora).every((v) => v === 0)).toBe(true);
  });

  test("adds the way down that was chosen times the way up that is learnt, to the changes before", () => {
    const [own, past] = [low(3, ["key", "value"]), low(4, ["key", "value"])];
    const up = Object.fromEntries(Object.entries(own).map(([name, of]) => [name, of.up]));
    const down = Object.fromEntries(Object.entries(own).map(([name, of]) => [name, of.down]));
    const before = Object.fromEntries(Object.entries(past).map(([name, of]) => [name, product(of)]));
    const { net, weights } = begun({ infLora: up });
    const x = normal(3, 12, 5);
    const step = stepOf({
      net,
      weights,
      x,
      through: { strategy: infLora({ rank: 2 }), state: { tensors: { down, past: before } } },
    });
    const by = (name: string): tf.Tensor | undefined =>
      own[name] === undefined ? undefined : tf.add(product(own[name]!), before[name]!);
    close(step.features.dataSync(), featuresWith(weights, sequences(x), [into(0, by), into(1, by)]).dataSync(), 3);
  });
});

describe("CoLoR", () => {
  test("finds clusters where they are", () => {
    const rows = [0, 10, 20].flatMap((center) => [-1, 0, 1].flatMap((apart) => [center + apart, -center]));
    const centres = [...kMeans(Float32Array.from(rows), 2, 3, random(4))];
    expect([0, 1, 2].map((k) => centres.slice(2 * k, 2 * k + 2).map((v) => v + 0)).sort(([a], [b]) => a! - b!)).toEqual(
      [
        [0, 0],
        [10, -10],
        [20, -20],
      ],
    );
    expect(kMeans(Float32Array.from([1, 2]), 2, 5, random(1))).toHaveLength(2);
  });

  test("predicts by the change and head whose cluster is nearest to the features without any", () => {
    const changes = [low(6, ["query", "value"]), low(7, ["query", "value"])];
    const { net, weights } = begun({ color: changes[1]! });
    const heads = [8, 9].map((seed) => ({
      kernel: random(seed).normals([4, 3]),
      bias: random(seed + 10).normals([3]),
    }));
    const x = normal(4, 12, 10);
    const plain = matrix(featuresWith(weights, sequences(x)));
    const centres = [plain[0]!, plain[1]!, plain[2]!.map((v) => v + 0.01)];
    const owner = [
      [1, 0],
      [0, 1],
      [1, 0],
    ];
    const state = {
      tensors: {
        experts: changes.map((change, k) => ({ change, head: heads[k] })),
        centres: tf.tensor2d(centres),
        owner: tf.tensor2d(owner),
      },
    };
    const strategy = color({ rank: 2, alpha: 1 });
    const step = stepOf({ net, weights, x, through: { strategy, state } });
    const logits = matrix(hooksOf(strategy).predict(state, step as never));
    for (const [i, row] of plain.entries()) {
      const far = centres.map((c) => Math.hypot(...c.map((v, j) => v - row[j]!)));
      const k = owner[far.indexOf(Math.min(...far))]![0] === 1 ? 0 : 1;
      const by = (name: string): tf.Tensor | undefined =>
        changes[k]![name] === undefined ? undefined : tf.mul(product(changes[k]![name]!), 1 / 2);
      const features = featuresWith(weights, sequences([x[i]!]), [into(0, by), into(1, by)]) as tf.Tensor2D;
      close(logits[i]!, tf.add(tf.matMul(features, heads[k]!.kernel as tf.Tensor2D), heads[k]!.bias).dataSync(), 3);
    }
  });
});

describe("SPU", () => {
  test("lets the share of a tensor with the largest gradients move", () => {
    expect(
      largestShare(
        tf.tensor2d([
          [1, -5],
          [3, 0],
        ]),
        0.5,
      ).arraySync(),
    ).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect(largestShare(tf.tensor1d([1, -2, 0.5]), 0.1).arraySync()).toEqual([0, 1, 0]);
  });

  test("scores by the gradient of the experience's own loss, which finite differences have too", () => {
    const { net, weights } = small([3], 2, 2);
    const [x, y] = [normal(5, 2, 11), [0, 1, 1, 0, 1]];
    const strategy = spu({ rate: 1 / 6, samples: 5 });
    const { tensors } = hooksOf(strategy).beforeExperience(
      {},
      { train: examplesOf(x, y), index: 0 } as never,
      contextOf(net, weights),
    );
    const kernel = (weights.model["2-dense"] as Params).kernel as tf.Tensor2D;
    const lossAt = (moved: tf.Tensor): number => {
      const model = { ...weights.model, "2-dense": { ...(weights.model["2-dense"] as Params), kernel: moved } };
      return stepOf({ net, weights: { ...weights, model }, x, y })
        .targetLoss()
        .dataSync()[0]!;
    };
    const flat = [...kernel.dataSync()];
    const slopes = flat.map((_, i) => {
      const at = (by: number): number =>
        lossAt(
          tf.tensor2d(
            flat.map((v, j) => v + (i === j ? by : 0)),
            kernel.shape,
          ),
        );
      return Math.abs(at(1e-2) - at(-1e-2));
    });
    const mask = numbers((tensors.mask.model["2-dense"] as Params).kernel);
    expect(mask.filter((v) => v === 1)).toHaveLength(1);
    expect(mask.indexOf(1)).toBe(slopes.indexOf(Math.max(...slopes)));
    expect(numbers((tensors.mask.model["2-dense"] as Params).bias)).toEqual([0, 0, 0]);
    expect(numbers(tensors.mask.head).every((v) => v === 1)).toBe(true);
  });

  test("moves a tenth of the first dense layers of a transformer's blocks and nothing else of it", () => {
    const given = spec(stream(spu as never), [spu()], { model: modelFor([color()]) });
    const session = open(given, 0, "test");
    const before = session.learner.weights.model;
    const was = Object.fromEntries(Object.entries(before).map(([name, layer]) => [name, numbers(layer)]));
    const kernel = (of: Params): number[] => numbers(((of["3-transformer"] as Params).up as Params).kernel);
    const first = kernel(before);
    while (session.cursor.experience < 1) session.advance();
    const now = session.learner.weights.model;
    expect(numbers(now["1-dense"])).toEqual(was["1-dense"]);
    const moved = kernel(now).filter((v, i) => v !== first[i]).length;
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThanOrEqual(2 + 1);
    session.dispose();
  });
});

describe("the discrete key–value bottleneck", () => {
  test("gives the mean of the values of the nearest keys, and a step changes no other value", () => {
    const { net, weights: plain } = small([4], 3, 2);
    const value = random(21).normals([2, 3, 2]);
    const weights = { ...plain, added: { keyValueBottleneck: { value } as Params } };
    const state = { tensors: { projection: random(22).normals([4, 4]), keys: random(23).normals([2, 3, 2]) } };
    const x = normal(5, 3, 24);
    const strategy = keyValueBottleneck({ codebooks: 2, pairs: 3, size: 2 });
    const step = stepOf({ net, weights, x, y: [0, 1, 0, 1, 0], through: { strategy, state } });
    const heads = matrix(tf.matMul(step.features as tf.Tensor2D, state.tensors.projection as tf.Tensor2D));
    const keys = state.tensors.keys.arraySync() as number[][][];
    const values = value.arraySync() as number[][][];
    const used = heads.map((row) =>
      keys.map((book, c) => {
        const far = book.map((key) => Math.hypot(key[0]! - row[2 * c]!, key[1]! - row[2 * c + 1]!));
        return far.indexOf(Math.min(...far));
      }),
    );
    const wanted = used.map((at) =>
      [0, 1].map((column) => (values[0]![at[0]!]![column]! + values[1]![at[1]!]![column]!) / 2),
    );
    close(matrix(step.logits).flat(), wanted.flat());
    const slope = (
      step.gradient((at) =>
        stepOf({ net, weights: at, x, y: [0, 1, 0, 1, 0], through: { strategy, state } }).targetLoss(),
      ).added!.keyValueBottleneck as Params
    ).value as tf.Tensor;
    const moved = (slope.arraySync() as number[][][]).map((book) => book.map((row) => row.some((v) => v !== 0)));
    for (const [c, book] of moved.entries())
      for (const [k, moves] of book.entries()) expect(moves).toBe(used.some((at) => at[c] === k));
  });
});
