import { describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { digits } from "../../lib/data/digits.ts";
import { tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import { trained } from "../../lib/models/trained.ts";
import { distilStored } from "../../lib/strategies/index.ts";
import { limit } from "../../lib/streams/operators/limit.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { batches } from "../../lib/train/plan.ts";
import { close, contextOf, hooksOf, lossOf, mean, normal, perceptron, small, softmax, stepOf } from "./by-hand.ts";

describe("P395: stored answers", () => {
  const train = limit({ train: 12 })(classes(digits()) as never).experience(0).train;
  const { weights } = small([6], 64, 10, 3);
  const teacher = trained({ model: mlp({ hidden: [6] }), input: [8, 8, 1], weights, scale: 1 });
  const { net, weights: own } = small([5], 64, 10, 8);
  const context = contextOf(net, own, { columns: 10 });
  const strategy = distilStored({ teacher, top: 2, views: 3, pad: 2, flip: 0.5, weight: 0.7 });
  const hooks = hooksOf(strategy);
  const state = hooks.beforeExperience({ said: null }, { train, index: 0, task: 0 } as never, context);
  const made = batches(train, 0);

  test("are the largest probabilities that the teacher gives for the very view that is trained on, the rest in equal parts", () => {
    const at = Uint32Array.of(4, 7, 4);
    const seen = [0, 1, 2].map(() => hooks.batch(state, made(at), context));
    for (const batch of seen) {
      const wanted = batch.extra.distilStored!.wanted!.data as Float32Array;
      for (let row = 0; row < 3; row++) {
        const x = [...batch.x.subarray(64 * row, 64 * row + 64)];
        const p = softmax(perceptron(weights, [x]).logits[0]!);
        const best = [...p.keys()].sort((a, b) => p[b]! - p[a]!).slice(0, 2);
        const left = (1 - p[best[0]!]! - p[best[1]!]!) / 8;
        close(
          [...wanted.subarray(10 * row, 10 * row + 10)],
          p.map((v, c) => (best.includes(c) ? v : left)),
          4,
        );
      }
    }
    // example 4 comes twice in a batch: its views follow one another, and come again after the third
    const rowOf = (k: number, row: number): number[] => [...seen[k]!.x.subarray(64 * row, 64 * row + 64)];
    expect(rowOf(0, 0)).not.toEqual(rowOf(0, 2));
    expect(rowOf(1, 2)).toEqual(rowOf(0, 0));
    const raw = gather(train, Uint32Array.of(4));
    expect([rowOf(0, 0), rowOf(0, 2), rowOf(1, 0)].every((x) => x.every((v, i) => v === raw[i]))).toBe(false);
  });

  test("are learnt beside the labels", () => {
    const x = normal(3, 64, 5);
    const wanted = normal(3, 10, 6).map((row) => softmax(row));
    const step = stepOf({ net, weights: own, x, y: [1, 2, 3], extra: { wanted: tf.tensor2d(wanted) } as never });
    const { logits } = perceptron(own, x);
    const labels = mean(logits.map((z, i) => -Math.log(softmax(z)[i + 1]!)));
    const soft = mean(logits.map((z, i) => -wanted[i]!.reduce((s, p, c) => s + p * Math.log(softmax(z)[c]!), 0)));
    expect(lossOf(strategy, state, step)).toBeCloseTo(0.3 * labels + 0.7 * soft, 4);
  });

  test("are of the columns that compete, and add up to 1 there", () => {
    const open = [2, 5, 6, 9];
    const mask = Float32Array.from({ length: 10 }, (_, c) => +open.includes(c));
    const asking = { ...context, mask: () => ({ data: mask, shape: [1, 10] }) };
    const plain = distilStored({ teacher, top: 2, weight: 0.7 });
    const told = hooksOf(plain).beforeExperience({ said: null }, { train, index: 0, task: 0 } as never, asking);
    const { x: raw, extra } = hooksOf(plain).batch(told, made(Uint32Array.of(4, 7, 2)), asking);
    const x = [0, 1, 2].map((i) => [...raw.subarray(64 * i, 64 * i + 64)]);
    const among = (z: readonly number[]): number[] => softmax(open.map((c) => z[c]!));
    const wanted = perceptron(weights, x).logits.map((z) => {
      const p = among(z);
      const best = [...p.keys()].sort((a, b) => p[b]! - p[a]!).slice(0, 2);
      const left = (1 - p[best[0]!]! - p[best[1]!]!) / 2;
      return p.map((v, k) => (best.includes(k) ? v : left));
    });
    const data = [...(extra.distilStored!.wanted!.data as Float32Array)];
    close(
      data,
      wanted.flatMap((p) => [...mask.keys()].map((c) => (mask[c] === 1 ? p[open.indexOf(c)]! : 0))),
      4,
    );
    // the loss over these columns, with a fourth row that was joined and has a label alone
    const all = [...x, normal(1, 64, 9)[0]!];
    const y = [2, 5, 9, 6];
    const step = stepOf({
      net,
      weights: own,
      x: all,
      y,
      mask: all.map(() => [...mask]),
      current: 3,
      extra: { wanted: tf.tensor2d(data, [3, 10]) } as never,
    });
    const q = perceptron(own, all).logits.map((z) => among(z).map(Math.log));
    const labels = q.map((row, i) => -row[open.indexOf(y[i]!)]!);
    const soft = mean(wanted.map((p, i) => -p.reduce((sum, v, k) => sum + v * q[i]![k]!, 0)));
    const current = 0.3 * mean(labels.slice(0, 3)) + 0.7 * soft;
    expect(lossOf(plain, told, step)).toBeCloseTo(0.75 * current + 0.25 * labels[3]!, 4);
  });

  test("want a teacher of some of these columns", () => {
    const { weights: few } = small([6], 64, 2, 3);
    const other = trained({ model: mlp({ hidden: [6] }), input: [8, 8, 1], weights: few, scale: 1 });
    const mask = { data: Float32Array.from({ length: 10 }, (_, c) => +(c > 4)), shape: [1, 10] };
    expect(() =>
      hooksOf(distilStored({ teacher: other })).beforeExperience(
        { said: null },
        { train, index: 3, task: 3 } as never,
        { ...context, mask: () => mask },
      ),
    ).toThrow("distilStored: a teacher of classes of experience 3 is required, got one of the columns 0, 1 and not 5");
  });

  test("want images where they are to be moved", () => {
    const flat = { ...train, shape: [64] };
    expect(() => hooks.beforeExperience({ said: null }, { train: flat, index: 0 } as never, context)).toThrow(
      "distilStored: images are required",
    );
  });
});
