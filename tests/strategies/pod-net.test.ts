import { expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { net, network } from "../../lib/models/index.ts";
import { podNet } from "../../lib/strategies/index.ts";
import { hooksOf, noisy, stepOf } from "./by-hand.ts";

const model = network(net().reshape([2, 3, 1]).conv(2, 1).relu().flatten() as never, [6]);
const weightsOf = (seed: number) => ({
  ...noisy(model.init(random(seed), 3), random(seed + 1)),
  added: { podNet: { proxy: random(seed + 2).normals([6, 12]), scale: tf.scalar(2) } },
});
const unit = (row: readonly number[]): number[] => row.map((v) => v / Math.hypot(...row));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, i) => s + v * b[i]!, 0);
const x = [0, 1, 2].map((i) => [
  ...random(i + 50)
    .normals([6])
    .dataSync(),
]);
const strategy = podNet({ proxies: 2, margin: 0.6, spatial: 3, flat: 0.5 });

test("a class of PODNet is as like an example as its proxies, weighed by their softmax, and must be it by a margin", () => {
  const weights = weightsOf(1);
  const seen = tf.tensor2d([[1, 1, 0]]);
  const step = stepOf({ net: model, weights, x, y: [0, 1, 1], through: { strategy, state: { tensors: { seen } } } });
  const proxies = (weights.added.podNet.proxy.arraySync() as number[][]).map(unit);
  const wanted = (step.features.arraySync() as number[][]).map(unit).map((f) =>
    [0, 1, 2].map((c) => {
      const cos = [0, 1].map((k) => dot(f, proxies[2 * c + k]!));
      const e = cos.map(Math.exp);
      return (2 * (e[0]! * cos[0]! + e[1]! * cos[1]!)) / (e[0]! + e[1]!);
    }),
  );
  const logits = step.logits.arraySync() as number[][];
  for (const [i, row] of wanted.entries()) for (const [c, v] of row.entries()) expect(logits[i]![c]!).toBeCloseTo(v, 4);
  // Of two classes one is the other's only rival.
  const losses = wanted.map((row, i) => {
    const y = [0, 1, 1][i]!;
    return Math.max(0, row[1 - y]! - (row[y]! - 2 * 0.6));
  });
  const loss = hooksOf(strategy).taskLoss({ tensors: { seen } }, step).dataSync()[0]!;
  expect(loss).toBeCloseTo(losses.reduce((a, b) => a + b, 0) / 3, 4);
});

test("PODNet holds the squares of a convolution, summed over rows and over columns, and the direction of features", () => {
  const [weights, before] = [weightsOf(1), weightsOf(7)];
  const teacher = { weights: before, statistics: {} };
  const state = { tensors: { teacher, growth: tf.scalar(1.5) } };
  const step = stepOf({ net: model, weights, x, y: [0, 1, 1], through: { strategy, state } });
  const maps = (at: ReturnType<typeof weightsOf>): number[][][][] => {
    const { kernel, bias } = at.model["2-conv"] as { kernel: tf.Tensor; bias: tf.Tensor };
    const [k, b] = [kernel.dataSync(), bias.dataSync()];
    return x.map((row) => [0, 1].map((i) => [0, 1, 2].map((j) => [0, 1].map((c) => row[3 * i + j]! * k[c]! + b[c]!))));
  };
  const pooled = (map: number[][][]): number[] => {
    const down = [0, 1, 2].flatMap((j) => [0, 1].map((c) => map[0]![j]![c]! ** 2 + map[1]![j]![c]! ** 2));
    const across = [0, 1].flatMap((i) => [0, 1].map((c) => map[i]!.reduce((s, place) => s + place[c]! ** 2, 0)));
    return unit([...down, ...across]);
  };
  const features = (map: number[][][]): number[] => unit(map.flat(2).map((v) => Math.max(0, v)));
  const [now, then] = [maps(weights), maps(before)];
  const far = now.map((map, i) => {
    const [a, b] = [pooled(map), pooled(then[i]!)];
    return Math.hypot(...a.map((v, j) => v - b[j]!));
  });
  const turned = now.map((map, i) => 1 - dot(features(map), features(then[i]!)));
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const term = hooksOf(strategy).loss(state, step).dataSync()[0]!;
  expect(term).toBeCloseTo(1.5 * (3 * mean(far) + 0.5 * mean(turned)), 4);
});
