import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { bagOfTricks, limit } from "../../lib/strategies/index.ts";
import { simplex } from "../../lib/strategies/parts/simplex.ts";
import { turned, turnedEach } from "../../lib/strategies/parts/turned.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import {
  batchOf,
  close,
  contextOf,
  dot,
  entropy,
  examplesOf,
  hooksOf,
  layersOf,
  lossOf,
  matrix,
  mean,
  meanRow,
  normal,
  perceptron,
  predictionOf,
  type Rows,
  small,
  softmax,
  stepOf,
  times,
  transposed,
  unit,
} from "./by-hand.ts";

/** A small network and a context for a strategy's own tensors. */
function begun(strategy: Strategy, name: string, columns = 4) {
  const { net, weights } = small([5, 4], 3, columns);
  const context = contextOf(net, weights, { rng: random(9) });
  const added = hooksOf(strategy).parameters(context);
  return { net, weights: { ...weights, added: { [name]: added } }, added: added as Record<string, tf.Tensor> };
}

describe("LIMIT, P220", () => {
  const strategy = limit({ phases: 2, ways: 1, shots: 2, scale: 8, warmup: 0 });
  const hooks = hooksOf(strategy);
  const { net, weights, added } = begun(strategy, "limit");
  const own = Object.fromEntries(Object.entries(added).map(([name, t]) => [name, matrix(t)]));

  /** What a set of vectors becomes: attention of each to all, a product, the residual and a normalisation. */
  const attended = (set: Rows): number[][] => {
    const [q, k, v] = (["query", "key", "value"] as const).map((by) => times(set, own[by]!));
    return set.map((vector, i) => {
      const shares = softmax(k!.map((key) => dot(q![i]!, key) / 2));
      const mixed = times([v![0]!.map((_, j) => dot(shares, transposed(v!)[j]!))], own.after!)[0]!;
      const sum = mixed.map((value, j) => value + own.bias![0]![j]! + vector[j]!);
      const centred = sum.map((value) => value - mean(sum));
      return centred.map((value) => value / Math.sqrt(mean(centred.map((c) => c * c)) + 1e-5));
    });
  };
  const logitsOf = (vectors: Rows, row: readonly number[]): number[] => {
    const all = attended([...vectors, row]);
    return all.slice(0, -1).map((vector) => 8 * dot(unit(vector), unit(all.at(-1)!)));
  };
  const x = normal(6, 3, 3);
  const y = [0, 0, 1, 1, 2, 2];
  const table = examplesOf(x, y);

  test("a fake stream draws classes phase by phase, leaves one out and hides those of later phases", () => {
    const batch = hooks.batch(hooks.init(contextOf(net, weights)), batchOf(table, [0, 2, 4]), contextOf(net, weights));
    const { supports, means, competing } = batch.extra.limit!;
    expect([supports!.shape, means!.shape, competing!.shape]).toEqual([
      [4, 3],
      [2, 4, 4],
      [2, 4],
    ]);
    const phases = (competing!.data as Float32Array).slice(0, 4);
    expect([...(competing!.data as Float32Array).slice(4)]).toEqual([1, 1, 1, 0]);
    expect(phases.reduce((a, b) => a + b, 0)).toBe(2);
    const drawn = tf.tensor(means!.data, [2, 4, 4]).arraySync() as number[][][];
    const classOf = (p: number) => [0, 1, 2, 3].filter((c) => drawn[p]![c]!.some((v) => v > 0));
    expect([classOf(0).length, classOf(1).length]).toEqual([1, 2]);
    expect(phases[classOf(0)[0]!]).toBe(1);
    const support = tf.tensor2d(supports!.data as Float32Array, [4, 3]).arraySync();
    for (const column of classOf(1)) {
      const rows = support.filter((_, s) => drawn[1]![column]![s] === 0.5);
      for (const row of rows) {
        const at = x.findIndex((other) => Math.abs(other[0]! - row[0]!) < 1e-6);
        expect(y[at]).toBe(column);
      }
    }
  });

  test("its loss is the mean over phases of the cross-entropy of calibrated cosines", () => {
    const { extra } = hooks.batch(
      hooks.init(contextOf(net, weights)),
      batchOf(table, [0, 2, 4]),
      contextOf(net, weights),
    );
    const { supports, means, competing } = extra.limit!;
    const tensors = Object.fromEntries(
      Object.entries({ supports, means, competing }).map(([name, part]) => [
        name,
        tf.tensor(part!.data, part!.shape as number[]),
      ]),
    );
    const step = stepOf({ net, weights, x: [x[0]!, x[2]!, x[4]!], y: [0, 1, 2], extra: tensors });
    const head = transposed(layersOf(weights).at(-1)!.kernel);
    const few = perceptron(weights, tensors.supports!.arraySync() as number[][]).features;
    const rows = perceptron(weights, [x[0]!, x[2]!, x[4]!]).features;
    const phases = (tensors.means!.arraySync() as number[][][]).map((of, p) => {
      const open = [0, 1, 2, 3].filter((c) => (competing!.data as Float32Array)[p * 4 + c] === 1);
      const vectors = open.map((c) =>
        of[c]!.some((v) => v > 0) ? meanRow(few.filter((_, s) => of[c]![s]! > 0)) : head[c]!,
      );
      return mean(open.map((c, at) => entropy(logitsOf(vectors, rows[c]!), at)));
    });
    expect(lossOf(strategy, {}, step)).toBeCloseTo(mean(phases), 4);
  });

  test("the first experience's early steps are plain cosines, and later experiences only bring mean features", () => {
    const late = limit({ warmup: 1, scale: 8 });
    const step = stepOf({ net, weights, x, y });
    const head = transposed(layersOf(weights).at(-1)!.kernel);
    const { features } = perceptron(weights, x);
    const plain = features.map((row, i) =>
      entropy(
        head.map((c) => 8 * dot(unit(c), unit(row))),
        y[i]!,
      ),
    );
    expect(lossOf(late, {}, step)).toBeCloseTo(mean(plain), 4);
    const at = contextOf(net, weights);
    const stream = { ...at.stream, experience: () => ({ train: table }) };
    const context = { ...at, stream: stream as never };
    const before = hooks.beforeExperience(hooks.init(at), { classes: [0, 1, 2] } as never, context);
    const after = hooks.afterExperience(before, { index: 0 } as never, context);
    const columns = transposed(layersOf(after.weights as never).at(-1)!.kernel);
    for (const c of [0, 1, 2]) close(columns[c]!, meanRow(features.filter((_, i) => y[i] === c)));
    close(columns[3]!, head[3]!);
    expect(hooks.data(after, { train: table } as never, context)!.length).toBe(0);
    const moved = { ...weights, head: (after.weights as typeof weights).head };
    const scores = matrix(hooks.predict(after, predictionOf(net, moved, x)));
    for (const [i, row] of features.entries()) close(scores[i]!.slice(0, 3), logitsOf(columns.slice(0, 3), row), 3);
    expect(scores.every((row) => row[3]! < -1e8)).toBe(true);
  });
});

test("the vertices of a simplex are unit vectors, any two with the same negative product", () => {
  for (const [count, width] of [
    [5, 4],
    [4, 9],
    [2, 3],
  ] as const) {
    const flat = simplex("test", count, width, random(2));
    const rows = Array.from({ length: count }, (_, i) => [...flat.subarray(i * width, (i + 1) * width)]);
    const products = rows.flatMap((a) => rows.map((b) => dot(a, b)));
    const wanted = rows.flatMap((_, i) => rows.map((__, j) => (i === j ? 1 : -1 / (count - 1))));
    close(products, wanted, 5);
  }
  expect(() => simplex("test", 5, 3, random(2))).toThrow(/at least 4 numbers are required/);
});

test("examples are turned by quarters where they are square images, else read from their end", () => {
  const image = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
  const flat = (turn: number) => [...turned(image, turn).dataSync()];
  expect([0, 1, 2, 3].map(flat)).toEqual([
    [1, 2, 3, 4],
    [2, 4, 1, 3],
    [4, 3, 2, 1],
    [3, 1, 4, 2],
  ]);
  const both = turnedEach(tf.tile(image, [2, 1, 1, 1]), tf.tensor1d([3, 1]));
  expect([...both.dataSync()]).toEqual([...flat(3), ...flat(1)]);
  expect([...turned(tf.tensor2d([[1, 2, 3]]), 1).dataSync()]).toEqual([3, 2, 1]);
});

describe("a bag of tricks, P382", () => {
  const off = {
    contrastive: false,
    assigned: false,
    pseudo: false,
    finetune: false,
    subnet: false,
    pretrain: false,
    signal: false,
    scale: 8,
    projected: 3,
  };
  const { net, weights, added } = begun(bagOfTricks(off), "bagOfTricks");
  const own = Object.fromEntries(Object.entries(added).map(([name, t]) => [name, matrix(t)]));
  const x = normal(4, 3, 3);
  const y = [0, 0, 1, 2];
  const head = transposed(layersOf(weights).at(-1)!.kernel);
  const { features } = perceptron(weights, x);
  const backwards = perceptron(
    weights,
    x.map((row) => row.toReversed()),
  ).features;
  const cosinesOf = (rows: Rows, vectors: Rows) => rows.map((row) => vectors.map((v) => 8 * dot(unit(v), unit(row))));
  const met = tf.tensor2d([[1, 1, 1, 0]]);
  const step = stepOf({ net, weights, x, y });
  const lossWith = (tricks: Partial<typeof off> = {}) =>
    lossOf(bagOfTricks({ ...off, ...tricks }), { tensors: { met } }, step);
  const entropies = (logits: Rows, labels: readonly number[], over: readonly number[]) =>
    mean(logits.map((row, i) => entropy(row, labels[i]!, [...over])));
  const plain = entropies(cosinesOf(features, head), y, [0, 1, 2]);

  /** The supervised contrast of unit vectors by its definition. */
  const contrast = (vectors: Rows, labels: readonly number[]): number =>
    mean(
      vectors.map((v, i) => {
        const others = vectors.map((_, j) => j).filter((j) => j !== i);
        const z = (j: number) => dot(v, vectors[j]!) / 0.1;
        const all = Math.log(others.reduce((sum, j) => sum + Math.exp(z(j)), 0));
        return mean(others.filter((j) => labels[j] === labels[i]).map((j) => all - z(j)));
      }),
    );
  const projected = (rows: Rows) =>
    times(
      times(rows, own.first!).map((row) => row.map((v) => Math.max(0, v))),
      own.second!,
    ).map(unit);

  test("with none the loss is that of cosines among the classes met", () => {
    expect(lossWith()).toBeCloseTo(plain, 4);
  });

  test("each trick of the first experience adds its own term, or lets all classes compete", () => {
    const twice = [...features, ...features];
    expect(lossWith({ contrastive: true })).toBeCloseTo(plain + contrast(projected(twice), [...y, ...y]), 3);
    expect(lossWith({ assigned: true })).toBeCloseTo(entropies(cosinesOf(features, head), y, [0, 1, 2, 3]), 4);
    const vectors = [...head, ...transposed(own.pseudo!)];
    const over = [0, 1, 2, 4, 5, 6];
    const real = entropies(cosinesOf(features, vectors), y, over);
    const other = entropies(
      cosinesOf(backwards, vectors),
      y.map((c) => c + 4),
      over,
    );
    expect(lossWith({ pseudo: true })).toBeCloseTo(real + other, 4);
    const turns = [0, 1, 0, 1];
    const foretold = times(
      turns.map((turn, i) => (turn === 0 ? features : backwards)[i]!),
      own.turns!,
    );
    expect(lossWith({ signal: true })).toBeCloseTo(plain + 0.5 * entropies(foretold, turns, [0, 1]), 4);
  });

  test("the early steps of pre-training contrast examples without looking at labels", () => {
    const hooks = hooksOf(bagOfTricks({ ...off, pretrain: true }));
    const context = contextOf(net, weights, { epochs: 10 });
    const batch = batchOf(examplesOf(x, y), [0, 1, 2, 3]);
    const marks = [2, 3].map(
      (at) => "bagOfTricks" in hooks.batch({ tensors: {} }, batch, { ...context, step: at }).extra,
    );
    expect(marks).toEqual([true, false]);
    const early = stepOf({ net, weights, x, y: [2, 1, 0, 0], extra: { unlabelled: tf.scalar(1) } });
    const wanted = contrast(projected([...features, ...features]), [0, 1, 2, 3, 0, 1, 2, 3]);
    expect(lossOf(bagOfTricks({ ...off, pretrain: true }), { tensors: { met } }, early)).toBeCloseTo(wanted, 3);
  });

  test("later only the smallest weights move, by a share of the step, and vectors become mean features", () => {
    const strategy = bagOfTricks({ ...off, finetune: true, subnet: true, share: 0.25, rate: 0.5 });
    const hooks = hooksOf(strategy);
    const at = contextOf(net, weights);
    const context = { ...at, stream: { ...at.stream, experience: () => ({ train: examplesOf(x, y) }) } as never };
    const begunAt = hooks.beforeExperience(
      hooks.init(at),
      { classes: [0, 1, 2], train: examplesOf(x, y) } as never,
      context,
    );
    const state = hooks.afterExperience(begunAt, { index: 0 } as never, context);
    const columns = transposed(layersOf(state.weights as never).at(-1)!.kernel);
    for (const c of [0, 1, 2]) close(columns[c]!, meanRow(features.filter((_, i) => y[i] === c)));
    const after = { ...weights, model: JSON.parse("{}") } as typeof weights;
    for (const [name, layer] of Object.entries(weights.model))
      (after.model as Record<string, unknown>)[name] = Object.fromEntries(
        Object.entries(layer as Record<string, tf.Tensor>).map(([leaf, t]) => [leaf, tf.add(t, 1)]),
      );
    const next = hooks.weights(state, { before: weights, after } as never, step);
    const [was, now] = [layersOf(weights), layersOf(next)];
    for (const [k, { kernel, bias }] of was.slice(0, -1).entries()) {
      const sizes = kernel.flat().map(Math.abs);
      const bound = sizes.toSorted((a, b) => a - b)[Math.round(sizes.length / 4) - 1]!;
      close(
        now[k]!.kernel.flat(),
        kernel.flat().map((v) => (Math.abs(v) <= bound ? v + 0.5 : v)),
      );
      close(now[k]!.bias, bias);
    }
    close(now.at(-1)!.kernel.flat(), was.at(-1)!.kernel.flat());
  });
});
