import { expect, test } from "vitest";
import { digits } from "../../lib/data/digits.ts";
import { tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { perceptron, stableMax } from "../../lib/strategies/index.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { evaluation, training } from "../../lib/train/spec.ts";
import { run, spec } from "./support.ts";

const loss = (logits: number[][], y: number[], mask: number[] | null, weight: number[] | null = null): number =>
  stableMax().hooks.taskLoss!({}, {
    logits: tf.tensor2d(logits),
    y: tf.tensor1d(y, "int32"),
    mask: mask && tf.tensor2d([mask]),
    weight: weight && tf.tensor1d(weight),
  } as never).dataSync()[0]!;

test("stableMax is -log of s(z) over the sum, with s(z) = z + 1 or 1 / (1 - z), over the columns that compete", () => {
  // s(2) = 3, s(-1) = 1/2, s(0) = 1
  expect(loss([[2, -1, 0]], [0], null)).toBeCloseTo(Math.log(4.5 / 3), 6);
  expect(loss([[2, -1, 0]], [1], [0, 1, 1])).toBeCloseTo(Math.log(1.5 / 0.5), 6);
  const both = [
    [2, -1, 0],
    [0, 0, 3],
  ];
  expect(loss(both, [0, 2], null, [3, 1])).toBeCloseTo((3 * Math.log(1.5) + Math.log(6 / 4)) / 4, 6);
  // a softmax of such logits has a loss of exactly 0 in single precision, and no gradient
  expect(loss([[200, 0, 0]], [0], null)).toBeCloseTo(Math.log(203 / 201), 5);
});

test("a network learns digits by stableMax", () => {
  const given = spec(classes(digits()) as never, [stableMax()], {
    optimizer: sgd({ lr: 0.3 }),
    model: mlp({ hidden: [32] }),
    training: training({ batch: 32, steps: 150 }),
    evaluation: evaluation({ atStart: false, share: 0 }),
  });
  const last = run(given)
    .events.flatMap((event) => (event.type === "evaluated" ? [event.accuracy] : []))
    .at(-1)!;
  expect(last).toBeGreaterThan(0.8);
});

test("perceptron pulls at rows that are wrong, by how far their own column is behind the best other one", () => {
  const of = (logits: number[][], y: number[], mask: number[] | null = null): number =>
    perceptron().hooks.taskLoss!({}, {
      logits: tf.tensor2d(logits),
      y: tf.tensor1d(y, "int32"),
      mask: mask && tf.tensor2d([mask]),
      weight: null,
    } as never).dataSync()[0]!;
  expect(
    of(
      [
        [1, 3, 0],
        [5, 2, 1],
      ],
      [0, 0],
    ),
  ).toBeCloseTo(1, 6); // (2 + 0) / 2
  expect(of([[1, 3, 0]], [0], [1, 0, 1])).toBeCloseTo(0, 9);
  const slope = tf.grad((z: tf.Tensor) =>
    perceptron().hooks.taskLoss!({}, { logits: z, y: tf.tensor1d([0], "int32"), mask: null, weight: null } as never),
  );
  expect([...slope(tf.tensor2d([[0, 2]])).dataSync()]).toEqual([-1, 1]);
  expect([...slope(tf.tensor2d([[0, 0]])).dataSync()]).toEqual([-0.5, 0.5]);
});
