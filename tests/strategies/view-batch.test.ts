import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { viewBatch } from "../../lib/strategies/index.ts";
import {
  close,
  contextOf,
  examplesOf,
  hooksOf,
  lossOf,
  mean,
  normal,
  perceptron,
  small,
  softmax,
  stepOf,
} from "./by-hand.ts";

const { net, weights } = small([5, 4], 2, 3);

describe("P329: a batch of views", () => {
  const x = normal(6, 2, 7);

  test("measures how far the other views are from the first, which gets no gradient", () => {
    const strategy = viewBatch({ copies: 3, weight: 2 });
    const step = stepOf({ net, weights, x, y: [0, 2, 0, 2, 0, 2] });
    const p = perceptron(weights, x).logits.map((z) => softmax(z));
    const kl = (a: readonly number[], b: readonly number[]): number =>
      a.reduce((s, v, c) => s + v * Math.log(v / b[c]!), 0);
    // rounds of the same two examples
    const apart = mean([2, 3, 4, 5].map((i) => kl(p[i % 2]!, p[i]!)));
    expect(lossOf(strategy, {}, step)).toBeCloseTo(2 * apart, 5);
    const slope = tf.grad((logits: tf.Tensor) => hooksOf(strategy).loss({}, { ...step, logits }))(step.logits);
    const rows = slope.arraySync() as number[][];
    expect(rows.slice(0, 2).flat()).toEqual(Array(6).fill(0));
    // ∂KL(p‖softmax z)/∂z = softmax(z) − p, over four rows, times two
    const others = [2, 3, 4, 5].flatMap((i) => p[i]!.map((q, c) => (2 * (q - p[i % 2]![c]!)) / 4));
    close(rows.slice(2).flat(), others, 5);
  });

  test("has every example in rounds, the first as it is and the others with noise", () => {
    const from = examplesOf(x, [0, 1, 2, 0, 1, 2]);
    const batch = {
      x: Float32Array.from([...x[4]!, ...x[1]!]),
      y: Int32Array.of(1, 1),
      task: Int32Array.of(0, 0),
      targets: null,
      weight: null,
      current: 2,
      rows: {},
      from,
      at: Uint32Array.of(4, 1),
      extra: {},
    };
    const context = contextOf(net, weights, { rng: random(3) });
    const made = hooksOf(viewBatch({ copies: 3, noise: 0.2 })).batch({}, batch as never, context);
    expect([made.current, made.views]).toEqual([6, 3]);
    expect([...made.at]).toEqual([4, 1, 4, 1, 4, 1]);
    expect([...made.x.subarray(0, 4)]).toEqual([...batch.x]);
    const moved = [...made.x.subarray(4)].map((v, i) => v - batch.x[i % 4]!);
    expect(moved.every((v) => v !== 0 && Math.abs(v) < 1)).toBe(true);
    expect(() => hooksOf(viewBatch()).batch({}, { ...batch, y: Int32Array.of(1, 1, 0) } as never, context)).toThrow(
      "a place before the strategies that join rows",
    );
  });
});
