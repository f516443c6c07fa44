import { classes, digits, mlp, random, supernet, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import { hooksOf, small, stepOf } from "./by-hand.ts";

const rows = [
  [1, -0.5, 0.3],
  [-1, 2, 0.7],
  [0.2, 0.1, -0.9],
];
const y = [0, 2, 1];
const value = (x: tf.Tensor): number => x.dataSync()[0]!;

/** Logits with the first units of two hidden layers, in plain operations. */
function logits(weights: ReturnType<typeof small>["weights"], counts: readonly [number, number]): tf.Tensor {
  const dense = (x: tf.Tensor, tree: object, units: number): tf.Tensor => {
    const { kernel, bias } = tree as { kernel: tf.Tensor2D; bias: tf.Tensor };
    const inputs = x.shape[1]!;
    return tf.add(tf.matMul(x as tf.Tensor2D, tf.slice(kernel, [0, 0], [inputs, units])), tf.slice(bias, [0], [units]));
  };
  const model = Object.values(weights.model) as object[];
  const one = tf.relu(dense(tf.tensor2d(rows), model[0]!, counts[0]));
  const two = tf.relu(dense(one, model[1]!, counts[1]));
  return dense(two, weights.head, 3);
}
const labels = tf.oneHot(tf.tensor1d(y, "int32"), 3);
const entropy = (z: tf.Tensor, wanted: tf.Tensor = labels): number =>
  value(tf.neg(tf.mean(tf.sum(tf.mul(wanted, tf.logSoftmax(z)), -1))));

describe("a network and the smaller ones inside of it", () => {
  const { net, weights } = small([4, 6], 3, 3);
  const mask = (a: number, b: number): number[] => [
    ...[0, 1, 2, 3].map((i) => +(i < a)),
    ...[0, 1, 2, 3, 4, 5].map((i) => +(i < b)),
  ];
  const extra = (parts: readonly (readonly [number, number])[], share: readonly number[]) => ({
    masks: tf.tensor2d(parts.map(([a, b]) => mask(a, b))),
    gates: tf.zeros([parts.length, 0]),
    weights: tf.tensor1d([...share]),
  });

  test("in a sandwich the whole learns the labels, and parts what it says", () => {
    const parts = [
      [4, 6],
      [2, 6],
      [1, 2],
    ] as const;
    const step = stepOf({ net, weights, x: rows, y, extra: extra(parts, [1, 0.5, 0.5]) });
    const whole = logits(weights, parts[0]);
    const said = tf.softmax(whole);
    const wanted =
      entropy(whole) + 0.5 * entropy(logits(weights, parts[1]), said) + 0.5 * entropy(logits(weights, parts[2]), said);
    expect(value(hooksOf(supernet({ samples: 1 })).taskLoss({}, step))).toBeCloseTo(wanted, 4);
  });

  test("random parts learn the labels, and their losses are added", () => {
    const parts = [
      [2, 3],
      [4, 6],
    ] as const;
    const step = stepOf({ net, weights, x: rows, y, extra: extra(parts, [1, 1]) });
    const wanted = entropy(logits(weights, parts[0])) + entropy(logits(weights, parts[1]));
    const own = supernet({ sampling: "random", samples: 2, distil: false });
    expect(value(hooksOf(own).taskLoss({}, step))).toBeCloseTo(wanted, 4);
  });

  test("parts are drawn from the widths, the smallest and the whole among them, and join late if asked to", () => {
    const hooks = hooksOf(supernet({ widths: [0.5, 1], samples: 3, delay: 0.5, warm: 0.25 }));
    const at = (step: number) =>
      hooks.batch({ start: 0, steps: 100 }, { extra: {} } as never, { network: net, rng: random(1), step } as never)
        .extra.supernet!;
    const { masks, weights: share } = at(3);
    const rowsOf = Array.from({ length: 5 }, (_, i) => [...masks!.data.slice(i * 10, i * 10 + 10)]);
    expect(rowsOf[0]).toEqual(mask(4, 6));
    expect(rowsOf[4]).toEqual(mask(2, 3));
    for (const row of rowsOf)
      expect([mask(4, 6), mask(2, 6), mask(4, 3), mask(2, 3)].map(String)).toContain(String(row));
    expect([...share!.data]).toEqual([1, 0, 0, 0, 0]);
    expect([...at(50).weights!.data][1]).toBe(0);
    expect([...at(60).weights!.data][1]).toBeCloseTo(0.4, 6);
    expect([...at(90).weights!.data]).toEqual([1, 1, 1, 1, 1]);
  });

  test("a run trains them, and a model of which nothing can be left out is refused", async () => {
    const stream = classes(digits()).split(1).limit({ train: 40, test: 20 });
    const study = stream
      .learn(mlp({ hidden: [8] }))
      .by(supernet())
      .train({ batch: 20, epochs: 1 });
    const run = await study.run({ quiet: true, record: false });
    expect((await run.network()).parameters).toBe(64 * 8 + 8 + 8 * 10 + 10);
    expect(() => supernet({ widths: [] })).toThrow("at least one width is required, got none");
  });
});
