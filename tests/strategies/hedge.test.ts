/** P284: hedge backpropagation, beside plain arithmetic. */
import { expect, test } from "vitest";
import { tf, valueAndGrad } from "../../lib/engine/index.ts";
import { net } from "../../lib/models/index.ts";
import { conv, flatten } from "../../lib/models/layers/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { hedge } from "../../lib/strategies/index.ts";
import { close, contextOf, hooksOf, lossOf, matrix, normal, small, stepOf, times } from "./by-hand.ts";

const strategy = hedge({ discount: 0.9, smoothing: 0.3 });
const { net: network, weights: bare } = small([4, 3], 2, 3);
const added = { hedge: hooksOf(strategy).parameters(contextOf(network, bare)) };
const weights = { ...bare, added } as Weights;
const x = normal(5, 2, 1);
const y = [0, 2, 1, 1, 0];
const shares = [0.5, 0.2, 0.3];
const state = { carried: { shares: tf.tensor1d(shares) } };
const through = { strategy, state };

/** Probabilities of the three classifiers, by hand: of the input, of the first hidden layer, of the second. */
function byHand() {
  type Layer = { kernel: tf.Tensor; bias: tf.Tensor };
  const dense = (rows: number[][], { kernel, bias }: Layer): number[][] =>
    times(rows, matrix(kernel)).map((row) => row.map((v, i) => v + bias.dataSync()[i]!));
  const relu = (rows: number[][]): number[][] => rows.map((row) => row.map((v) => Math.max(0, v)));
  const own = weights.model as unknown as Record<string, Layer>;
  const read = weights.added!.hedge as unknown as Record<string, Layer>;
  const [one, two] = Object.values(own) as [Layer, Layer];
  const first = relu(dense(x as number[][], one));
  const second = relu(dense(first, two));
  const logits = [
    dense(x as number[][], read.depth0!),
    dense(first, read.depth1!),
    dense(second, weights.head as unknown as Layer),
  ];
  const probabilities = logits.map((rows) =>
    rows.map((row) => {
      const parts = row.map(Math.exp);
      const sum = parts.reduce((a, b) => a + b, 0);
      return parts.map((p) => p / sum);
    }),
  );
  const losses = probabilities.map((rows) => rows.reduce((sum, row, i) => sum - Math.log(row[y[i]!]!), 0) / y.length);
  return { probabilities, losses };
}

test("what is predicted is the mean of the classifiers by their shares, and the loss is theirs", () => {
  const { probabilities, losses } = byHand();
  const step = stepOf({ net: network, weights, x, y, through });
  const mixed = x.map((_, i) =>
    [0, 1, 2].map((c) => probabilities.reduce((sum, rows, k) => sum + shares[k]! * rows[i]![c]!, 0)),
  );
  close(matrix(tf.exp(step.logits)).flat(), mixed.flat(), 5);
  expect(lossOf(strategy, state, step)).toBeCloseTo(
    losses.reduce((sum, loss, k) => sum + shares[k]! * loss, 0),
    5,
  );
});

test("a layer learns from every classifier that is as deep as it", () => {
  const kernel = (grads: Weights, depth: number): number[] =>
    matrix((Object.values(grads.model)[depth] as { kernel: tf.Tensor }).kernel).flat();
  const grads = (own: readonly number[]): Weights => {
    const state = { carried: { shares: tf.tensor1d([...own]) } };
    return valueAndGrad(
      (w: Weights) =>
        hooksOf(strategy).taskLoss(state, stepOf({ net: network, weights: w, x, y, through: { strategy, state } })),
      weights,
    ).grads;
  };
  const alone = [0, 1, 2].map((k) => grads([0, 1, 2].map((j) => (j === k ? 1 : 0))));
  expect(kernel(alone[0]!, 0).every((v) => v === 0)).toBe(true);
  expect(kernel(alone[1]!, 1).every((v) => v === 0)).toBe(true);
  const sum = kernel(alone[1]!, 0).map((v, i) => shares[1]! * v + shares[2]! * kernel(alone[2]!, 0)[i]!);
  close(kernel(grads(shares), 0), sum, 5);
});

test("shares fall by the discount to the power of the loss, not below the least, and sum to one", () => {
  const { losses } = byHand();
  const step = stepOf({ net: network, weights, x, y, through });
  const change = { before: weights, after: weights, slope: weights, gradient: weights };
  const next = hooksOf(strategy).update(state, change, step) as { shares: tf.Tensor };
  const moved = shares.map((share, k) => Math.max(share * 0.9 ** losses[k]!, 0.3 / 3));
  const total = moved.reduce((a, b) => a + b, 0);
  close(
    [...next.shares.dataSync()],
    moved.map((v) => v / total),
    5,
  );
});

test("says what it needs", () => {
  const linear = net.of([flatten()]);
  expect(() => hooksOf(strategy).init(contextOf({ ...network, model: linear } as never, weights))).toThrow(
    "a model with hidden layers is required",
  );
  const images = net
    .of([conv(2, 3)])
    .relu()
    .flatten();
  expect(
    hooksOf(strategy).init(contextOf({ ...network, model: images, input: [4, 4, 1] } as never, weights)).carried.shares
      .size,
  ).toBe(3);
});
