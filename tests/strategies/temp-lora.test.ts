import { describe, expect, test } from "vitest";
import { mapTensors, random, type Tree, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { gpt } from "../../lib/models/index.ts";
import { crossEntropies, network, type Weights } from "../../lib/models/network.ts";
import { tempLora } from "../../lib/strategies/index.ts";
import { kernelsIn, withKernels } from "../../lib/strategies/parts/kernels.ts";
import { close, contextOf, hooksOf, noisy, small, stepOf } from "./by-hand.ts";

describe("tempLora (P001 SlowFast-VGen)", () => {
  const [chunk, context, columns, rate, rank] = [3, 2, 4, 0.8, 2];
  const net = network(gpt({ tokens: 4, width: 8, depth: 1, heads: 2, positions: "rotary" }), [7]);
  const weights = noisy(net.init(random(1), columns), random(2));
  const rows = [
    [0, 1, 2, 3, 0, 2, 1],
    [3, 3, 0, 1, 1, 2, 0],
  ];
  const on = ["*query", "*up"];
  const strategy = tempLora({ chunk, context, rank, rate, on });
  const state = hooksOf(strategy).init(contextOf(net, weights, { columns }));
  const logitsOf = (x: number[][], by = strategy, at: Weights = weights): number[][][] =>
    stepOf({ net, weights: at, x, through: { strategy: by, state } }).logits.arraySync() as number[][][];
  /** The mean loss of the next tokens of a piece. */
  const loss = (at: Weights, piece: number[]): tf.Tensor => {
    const logits = net.logits(at, stepOf({ net, weights: at, x: [piece] }).features);
    const said = tf.reshape(tf.slice(logits, [0, 0, 0], [1, piece.length - 1, columns]), [piece.length - 1, columns]);
    return tf.mean(crossEntropies(said, tf.tensor1d(piece.slice(1), "int32")));
  };
  /** What one step from U = 0 makes of the kernels: W − rate · D Dᵀ ∂loss/∂W. */
  const moved = (piece: number[]): Weights => {
    const kernels = kernelsIn(net, weights, on);
    const { grads } = valueAndGrad(
      (own: typeof kernels) => loss(withKernels(weights, own), piece) as tf.Scalar,
      kernels,
    );
    const next = Object.entries(kernels).map(([path, w]) => {
      const { down } = state.tensors[path.replace("/kernel", "")] as { down: tf.Tensor2D };
      const change = tf.matMul(down, tf.matMul(down, grads[path] as tf.Tensor2D, true, false));
      return [path, tf.sub(w, tf.mul(change, rate))] as const;
    });
    return withKernels(weights, Object.fromEntries(next));
  };

  test("a chunk is predicted by kernels that have taken a step down the loss of the one before, worked out on whole kernels", () => {
    const ours = logitsOf(rows);
    for (const [n, row] of rows.entries()) {
      const first = stepOf({ net, weights, x: [row.slice(0, 3)] }).logits.arraySync() as number[][][];
      close(ours[n]!.slice(0, 3).flat(), first[0]!.flat(), 5);
      const after = moved(row.slice(0, 3));
      const second = stepOf({ net, weights: after, x: [row.slice(1, 6)] }).logits.arraySync() as number[][][];
      close(ours[n]!.slice(3, 6).flat(), second[0]!.slice(2).flat(), 4);
    }
    const without = logitsOf(rows, tempLora({ chunk, context, rank, rate, on, steps: 0 }));
    close(without[0]!.slice(0, 3).flat(), ours[0]!.slice(0, 3).flat(), 6);
    expect(Math.abs(without[0]![4]![0]! - ours[0]![4]![0]!)).toBeGreaterThan(1e-3);
  });

  test("each sequence has fast weights of its own", () => {
    const both = logitsOf(rows);
    for (const [n, row] of rows.entries()) close(logitsOf([row])[0]!.flat(), both[n]!.flat(), 4);
  });

  test("the slow weights learn with the fast ones as they are", () => {
    const row = rows[0]!;
    const part = (logits: tf.Tensor, from: number): tf.Tensor =>
      tf.sum(tf.square(tf.slice(logits, [0, from, 0], [1, 3, columns])));
    const through = (at: Weights): tf.Tensor =>
      part(stepOf({ net, weights: at, x: [row.slice(0, 6)], through: { strategy, state } }).logits, 3);
    const changes = mapTensors(
      (a: tf.Tensor, b?: tf.Tensor) => tf.sub(a, b!),
      kernelsIn(net, moved(row.slice(0, 3)), on),
      kernelsIn(net, weights, on),
    );
    const frozen = (at: Weights): tf.Tensor => {
      const own = mapTensors((w: tf.Tensor, c?: tf.Tensor) => tf.add(w, c!), kernelsIn(net, at, on), changes);
      return part(stepOf({ net, weights: withKernels(at, own), x: [row.slice(1, 6)] }).logits, 2);
    };
    const [a, b] = [through, frozen].map(
      (of) => valueAndGrad(of as never, weights as never).grads as unknown as Weights,
    );
    mapTensors(
      (x: tf.Tensor, y?: tf.Tensor) => {
        close([...x.dataSync()], [...y!.dataSync()], 2);
        return x;
      },
      a! as unknown as Tree,
      b! as unknown as Tree,
    );
  });

  test("places that are told apart by trained vectors are those of what a pass sees", () => {
    const learned = network(gpt({ tokens: 4, width: 8, depth: 1, heads: 2 }), [7]);
    const own = noisy(learned.init(random(1), columns), random(2));
    const by = tempLora({ chunk: 3, context: 0, rank, steps: 0 });
    const none = hooksOf(by).init(contextOf(learned, own, { columns }));
    const all = stepOf({ net: learned, weights: own, x: rows, through: { strategy: by, state: none } }).logits;
    const repeated = stepOf({ net: learned, weights: own, x: [rows[0]!.slice(3, 6)] }).logits;
    close([...tf.slice(all, [0, 3, 0], [1, 3, columns]).dataSync()], [...repeated.dataSync()], 5);
  });

  test("a model without places runs as it is, and what has no matrices says so", () => {
    const { net: plain, weights: own } = small([3], 2, 2);
    const by = tempLora();
    const hooks = hooksOf(by);
    const none = hooks.init(contextOf(plain, own, { columns: 2 }));
    expect(none.tensors).toEqual({});
    const x = [[0.5, -1]];
    const given = stepOf({ net: plain, weights: own, x, through: { strategy: by, state: none } }).logits.dataSync();
    expect(given).toEqual(stepOf({ net: plain, weights: own, x }).logits.dataSync());
    expect(() => hooksOf(tempLora({ on: "*scale" })).init(contextOf(net, weights, { columns }))).toThrow(
      "tempLora: matrices to add to are required",
    );
  });
});
