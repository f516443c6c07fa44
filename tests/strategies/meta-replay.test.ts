/** MER and HAL against softmax regression in plain numbers. */
import { describe, expect, test } from "vitest";
import { decode, disposeTree, tf } from "../../lib/engine/index.ts";
import { net } from "../../lib/models/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { fdr } from "../../lib/strategies/replay/fdr.ts";
import { hal } from "../../lib/strategies/replay/hal.ts";
import { mer } from "../../lib/strategies/replay/mer.ts";
import { open } from "../../lib/train/session.ts";
import { training } from "../../lib/train/spec.ts";
import { asWeights, between, descended, flat, type Linear, logitsOf, ofWeights, slopes, stepOf } from "./linear.ts";
import { numbers, spec, stream } from "./support.ts";

const start: Linear = {
  kernel: [
    [0.3, -0.2, 0.5],
    [-0.4, 0.1, 0.2],
  ],
  bias: [0.05, -0.1, 0.2],
};
const close = (got: number[], wanted: number[], digits: number): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, digits);
  });
};

describe("meta-experience replay", () => {
  const current = { x: [[1, -1] as number[]], y: [2] };
  const remembered = {
    x: [
      [0.5, 2],
      [-1, 0.3],
      [2, 1],
      [0.1, -0.7],
    ],
    y: [0, 1, 1, 0],
  };
  const rate = 0.3;

  test.each([
    ["one example at a time", 1],
    ["two at a time", 2],
    ["all of a draw at once", 9],
  ])("walks %s, back within each draw and back from all of them", (_, rows) => {
    const [beta, gamma] = [0.4, 0.7];
    // Two draws of two remembered examples, each followed by the example of the batch: algorithm 1 in plain numbers.
    let at = start;
    for (const draw of [
      [0, 1],
      [2, 3],
    ]) {
      const x = [...draw.map((i) => remembered.x[i]!), ...current.x];
      const y = [...draw.map((i) => remembered.y[i]!), ...current.y];
      let within = at;
      // Drawn examples and those of the batch do not share a small step.
      for (const [from, to] of [
        [0, 2],
        [2, 3],
      ] as const)
        for (let k = from; k < to; k += rows) {
          const end = Math.min(to, k + rows);
          within = descended(within, x.slice(k, end), y.slice(k, end), rate);
        }
      at = between(at, within, beta);
    }
    const wanted = between(start, at, gamma);
    const method = mer({ draw: 2, batches: 2, rows, beta, gamma });
    const step = stepOf(start, current.x, current.y, rate, {
      extra: { x: tf.tensor2d(remembered.x), y: tf.tensor1d(remembered.y, "int32"), task: tf.zeros([4], "int32") },
    });
    const nothing = asWeights({ kernel: start.kernel.map((row) => row.map(() => 0)), bias: [0, 0, 0] });
    const gradient = ofWeights(method.hooks.gradient!({}, nothing, step));
    close(
      flat(start).map((w, i) => w - rate * gradient[i]!),
      flat(wanted),
      5,
    );
  });

  test("with every way kept and nothing remembered is plain descent, and its own gradient replaces that of the loss", () => {
    const plain = open(spec(stream(mer as never), [], { training: training({ batch: 1 }) }), 0, "test");
    const meta = open(
      spec(stream(mer as never), [mer({ batches: 1, beta: 1, gamma: 1 })], { training: training({ batch: 1 }) }),
      0,
      "test",
    );
    for (const session of [plain, meta])
      while (session.cursor.phase !== "train" || session.cursor.step < 1) session.advance({ experience: 0, local: 1 });
    close(numbers(meta.learner.weights), numbers(plain.learner.weights), 6);
    plain.dispose();
    meta.dispose();
  });
});

describe("function distance regularisation", () => {
  test("takes a step of its own for the distance where that is asked for", () => {
    const [x, y] = [[[1, -1]], [2]];
    const kept = [
      [0.2, 0.9, -0.3],
      [-0.5, 0.4, 1],
    ];
    const remembered = [
      [0.5, 2],
      [-1, 0.3],
    ];
    const [rate, alpha] = [0.3, 0.8];
    const softmax = (z: readonly number[]): number[] => slopes(z, -1);
    const distance = (at: Linear): number =>
      remembered.reduce((sum, row, n) => {
        const then = softmax(kept[n]!);
        return sum + (alpha / 2) * Math.hypot(...softmax(logitsOf(at, row)).map((p, c) => p - then[c]!));
      }, 0);
    const first = descended(start, x, y, rate);
    const plain = flat(start).map((w, i) => (w - flat(first)[i]!) / rate);
    // The gradient of the distance at the end of the first step, by finite differences.
    const shape = (all: readonly number[]): Linear => ({
      kernel: [all.slice(0, 3), all.slice(3, 6)],
      bias: all.slice(6),
    });
    const wanted = plain.map((g, i) => {
      const moved = (by: number): Linear => shape(flat(first).map((w, j) => (i === j ? w + by : w)));
      return g + (distance(moved(1e-4)) - distance(moved(-1e-4))) / 2e-4;
    });
    const extra = {
      x: tf.tensor2d(remembered),
      y: tf.tensor1d([0, 1], "int32"),
      task: tf.zeros([2], "int32"),
      logits: tf.tensor2d(kept),
    };
    const { gradient, loss } = fdr({ alpha, apart: true }).hooks;
    const step = stepOf(start, x, y, rate, { extra });
    close(ofWeights(gradient!({}, asWeights(shape(plain)), step)), wanted, 4);
    expect(Math.max(...wanted.map((w, i) => Math.abs(w - plain[i]!)))).toBeGreaterThan(0.01);
    expect(loss!({}, step).dataSync()[0]).toBeCloseTo(distance(start), 5);
  });
});

describe("hindsight anchor learning", () => {
  test("adds the gradient of the anchors' squared move at a trial step", () => {
    const [x, y] = [[[1, -1]], [2]];
    const anchors = [
      [0.2, 0.9],
      [-0.5, 0.4],
    ];
    const [rate, lambda] = [0.3, 0.6];
    const trial = descended(start, x, y, rate);
    const plain = flat(start).map((w, i) => (w - flat(trial)[i]!) / rate);
    // d/dW of λ · mean (a·W + b − z)² with z fixed: 2 λ / (anchors · columns) · Σ aᵀ (a·W + b − z).
    const wanted = [...plain];
    for (const a of anchors) {
      const moved = logitsOf(start, a).map((z, c) => z - logitsOf(trial, a)[c]!);
      moved.forEach((apart, c) => {
        const by = (2 * lambda * apart) / 6;
        wanted[0 + c]! += by * a[0]!;
        wanted[3 + c]! += by * a[1]!;
        wanted[6 + c]! += by;
      });
    }
    const gradient = asWeights({ kernel: [plain.slice(0, 3), plain.slice(3, 6)], bias: plain.slice(6) });
    const held = {
      anchors: { x: tf.tensor2d(anchors), y: tf.tensor1d([0, 1], "int32"), task: tf.zeros([2], "int32") },
    };
    const got = hal({ lambda }).hooks.gradient!({ tensors: held }, gradient, stepOf(start, x, y, rate));
    close(ofWeights(got), wanted, 5);
    expect(Math.max(...wanted.map((w, i) => Math.abs(w - plain[i]!)))).toBeGreaterThan(0.01);
  });

  test("anchors climb the forgetting of a pass over the memory, held to the mean of the features", () => {
    const [gamma, anchorRate, hindsightRate] = [0.3, 0.2, 0.4];
    interface Held {
      learner: { weights: Parameters<typeof ofWeights>[0]; carried: { hal: { mean: tf.Tensor } } };
      states: {
        hal: { anchors: { x: Float32Array; y: Int32Array }; buffer: { rows: Float32Array; labels: Int32Array } };
      };
    }
    const learnt = (anchorSteps: number): Held => {
      const once = {
        model: net().flatten() as never,
        training: training({ batch: 1000 }),
        optimizer: sgd({ lr: 0.1 }),
      };
      const method = hal({ capacity: 8, gamma, anchorRate, hindsightRate, anchorSteps });
      const session = open(spec(stream(hal as never), [method], once), 0, "test");
      while (session.cursor.phase !== "evaluate") session.advance();
      const state = decode(session.save()) as unknown as Held;
      session.dispose();
      return state;
    };
    const [none, one] = [learnt(0), learnt(1)];
    const { kernel, bias } = none.learner.weights.head as { kernel: tf.Tensor2D; bias: tf.Tensor };
    const now: Linear = { kernel: kernel.arraySync(), bias: bias.arraySync() as number[] };
    const { rows, labels } = none.states.hal.buffer;
    const x = Array.from(labels, (_, i) => [...rows.subarray(3 * i, 3 * i + 3)]);
    const then = descended(now, x, [...labels], hindsightRate);
    const mean = [...none.learner.carried.hal.mean.dataSync()];
    const { x: from, y } = none.states.hal.anchors;
    const climbed = Array.from(y, (label, k) => {
      const a = [...from.subarray(3 * k, 3 * k + 3)];
      // The gradient of CE with respect to the input is W (softmax − onehot); the features are the input itself.
      const pull = ({ kernel: w }: Linear, at: Linear): number[] => {
        const s = slopes(logitsOf(at, a), label);
        return w.map((row) => row.reduce((sum, v, c) => sum + v * s[c]!, 0));
      };
      const [there, here] = [pull(then, then), pull(now, now)];
      return a.map((v, i) => v + anchorRate * (there[i]! - here[i]! - 2 * gamma * (v - mean[i]!)));
    }).flat();
    expect([...y]).toEqual([0, 1]);
    close([...one.states.hal.anchors.x], climbed, 4);
    expect(Math.abs(climbed[0]! - from[0]!)).toBeGreaterThan(1e-3);
    disposeTree([none, one] as never);
  });
});
