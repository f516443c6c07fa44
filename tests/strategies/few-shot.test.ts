import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { limit } from "../../lib/strategies/index.ts";
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
function begun(strategy: ReturnType<typeof limit>, name: string, columns = 4) {
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
