import { maestro, net, network, pela, prune, random, type TrainedNetwork, tf, trained, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import type { Params } from "../../lib/models/model.ts";
import { factorsIn, factorsOf, rankLengths } from "../../lib/models/parts/factors.ts";
import { rankFor } from "../../lib/models/parts/product.ts";
import { ranksLeft } from "../../lib/prune/ranks.ts";
import { withRanks } from "../../lib/strategies/compression/maestro.ts";
import { perturbed } from "../../lib/strategies/compression/pela.ts";
import { hooksOf, stepOf } from "../strategies/by-hand.ts";

const numbers = (of: tf.Tensor): number[] => [...of.dataSync()];
const close = (a: readonly number[], b: readonly number[], digits = 5): void => {
  expect(a.length).toBe(b.length);
  a.forEach((value, i) => {
    expect(value).toBeCloseTo(b[i]!, digits);
  });
};
const of = (model: Parameters<typeof network>[0], input: number[]): TrainedNetwork =>
  trained({ model: model as never, input, weights: network(model, input).init(random(0), 3) });
const first = tf.tensor2d([3, 0, 0, 4], [2, 2]);
const second = tf.tensor2d([0, 12, 5, 0], [2, 2]);

describe("factors", () => {
  test("of a kernel with known singular values are these, by the roots", () => {
    // 3 u₁ v₁ᵀ + u₂ v₂ᵀ with u₁ = (0.6, 0.8), u₂ = (0.8, −0.6), v₁ = (1, 0), v₂ = (0, 1)
    const kernel = tf.tensor2d([1.8, 0.8, 2.4, -0.6], [2, 2]);
    const one = factorsOf(kernel, 1);
    close(numbers(tf.matMul(one.first, one.second)), [1.8, 0, 2.4, 0]);
    close([tf.norm(one.first).dataSync()[0]!, tf.norm(one.second).dataSync()[0]!], [Math.sqrt(3), Math.sqrt(3)]);
    const three = factorsOf(kernel, 3); // more than there are: zeros
    close(numbers(tf.matMul(three.first, three.second)), numbers(kernel));
    expect([rankFor(32, 32, 2), rankFor(32, 64, 0.5), rankFor(4, 4, 100)]).toEqual([8, 32, 1]);
  });

  test.each([
    ["dense layers", () => of(net().flatten().dense(6).relu().dense(4), [3, 2, 1]), [3, 2, 1]],
    ["blocks", () => of(vit({ patch: 4, width: 8, depth: 2, heads: 2 }), [8, 8, 1]), [8, 8, 1]],
  ])("of full rank give what %s gave, and of half the numbers are half", (_, make, shape) => {
    const big = make();
    const x = tf.randomUniform([2, ...shape], 0, 1, "float32", 3);
    const full = prune.lowRank(big, { times: 0.5 }).network;
    close(numbers(full.features(x)), numbers(big.features(x)), 4);
    const half = prune.lowRank(big, { times: 2 });
    expect(half.network.parameters).toBeLessThan(big.parameters);
    const again = trained(half.network.parts); // the model's own shapes are those of its tensors
    const shapes = factorsIn(half.network.model.init(random(1), shape)).map((own) => own.first.shape);
    expect(factorsIn(again.weights.model).map((own) => own.first.shape)).toEqual(shapes);
    for (const own of [big, full, half.network, again]) own.dispose();
  });
});

describe("Maestro (P316)", () => {
  test("a rank is worth what it and all after it are long, in both factors", () => {
    close(
      rankLengths({ first, second }, true).flatMap((own) => numbers(own)),
      [5, 4, 13, 5],
    );
    expect([ranksLeft(first, second, 30), ranksLeft(first, second, 20), ranksLeft(first, second, 99)]).toEqual([
      1, 2, 1,
    ]);
  });

  test("a step runs with the first ranks of one product, and pays for all lengths", () => {
    const model = net().structured(2, { kind: "lowRank", rank: 2, bias: false });
    const structure = network(model as never, [2]);
    const had = structure.init(random(0), 2);
    const weights = { ...had, model: { "1-structured": { first: { kernel: first }, second: { kernel: second } } } };
    const strategy = maestro({ lambda: 0.1, threshold: 0 });
    const hooks = hooksOf(strategy as never);
    const state = { ranks: [2] };
    const step = stepOf({
      net: structure,
      weights,
      x: [[1, 1]],
      y: [0],
      extra: { kept: tf.tensor1d([1, 0]) },
      through: { strategy: strategy as never, state },
    });
    // with the first rank alone (1, 1) becomes 3 · (0, 12)
    const wanted = tf.tidy(() => {
      const logits = structure.logits(weights, tf.tensor2d([[0, 36]]));
      return numbers(tf.neg(tf.gather(tf.logSoftmax(logits), [0], 1)));
    });
    close(numbers(hooks.taskLoss(state, step)), wanted, 4);
    close(numbers(hooks.loss(state, step)), [0.1 * (5 + 4 + 13 + 5)], 4);
    // the first rank is worth 5 · 13 with the second, and 3 · 13 by itself: it counts by what it is worth in the whole product
    const high = maestro({ threshold: 50 });
    const still = stepOf({
      ...{ net: structure, weights, x: [[1, 1]], y: [0], extra: { kept: tf.tensor1d([1, 0]) } },
      through: { strategy: high as never, state },
    });
    close(numbers(hooksOf(high as never).taskLoss(state, still)), wanted, 4);
    const none = withRanks(weights, [tf.tensor1d([0, 1])]).model["1-structured"] as { first: { kernel: tf.Tensor } };
    close(numbers(none.first.kernel), [0, 0, 0, 4]);
  });

  test("in a batch every pair of a product and a rank is drawn, and ranks that count for nothing are cut without a change", () => {
    const hooks = hooksOf(maestro() as never);
    const seen = new Set(
      Array.from({ length: 60 }, (_, step) => {
        const context = { rng: random(1), step } as never;
        const { extra } = hooks.batch({ ranks: [2, 1] }, { extra: {} } as never, context);
        return [...extra.maestro!.kept!.data].join("");
      }),
    );
    expect([...seen].sort()).toEqual(["101", "111"]);
    const big = of(net().dense(4).relu(), [4]);
    const factors = prune.lowRank(big, { times: 0.5 }).network;
    const own = factors.weights.model["1-structured"] as { first: Params; second: Params };
    const short = {
      ...own,
      first: { kernel: tf.mul(own.first.kernel as tf.Tensor, [[1, 1, 0, 0]]) },
      second: { kernel: tf.mul(own.second.kernel as tf.Tensor, [[1], [1], [0], [0]]) },
    };
    const idle = factors.with({ weights: { ...factors.weights, model: { "1-structured": short } } });
    const cut = prune.ranks(idle, { threshold: 1e-4 });
    expect(factorsIn(cut.network.weights.model)[0]!.second.shape).toEqual([2, 4]);
    const x = tf.randomUniform([2, 4], 0, 1, "float32", 3);
    close(numbers(cut.network.features(x)), numbers(idle.features(x)));
    expect(() => prune.ranks(big)).toThrow("prune.ranks: a network with products of two factors is required");
  });
});

describe("PELA (P455)", () => {
  test("the bound is on the largest change of a number, and features are those of the same layers", () => {
    const big = of(net().dense(3).relu(), [3]);
    const small = prune.lowRank(big, { times: 2 }).network;
    const [own] = factorsIn(small.weights.model);
    const kernel = (big.weights.model["1-dense"] as { kernel: tf.Tensor }).kernel;
    const far = Math.max(...numbers(tf.abs(tf.sub(tf.matMul(own!.first, own!.second), kernel))));
    close(numbers(perturbed(small.weights.model, big.weights.model, 0.1)), [(far - 0.1) ** 2], 6);
    // a kernel that is whole in both may go where it likes
    const whole = { "2-dense": { kernel: tf.zeros([3, 3]) } };
    const moved = { "2-dense": { kernel: tf.ones([3, 3]) } };
    close(
      numbers(perturbed({ ...small.weights.model, ...moved }, { ...big.weights.model, ...whole }, 0.1)),
      [(far - 0.1) ** 2],
      6,
    );
    close(numbers(perturbed(moved, whole, 0.1)), [0.9 ** 2], 6);
    const strategy = pela({ original: big, features: 2, perturbation: 0 });
    const hooks = hooksOf(strategy as never);
    const x = [
      [1, -1, 2],
      [0.5, 1, 0],
    ];
    const step = stepOf({ net: small.structure, weights: small.weights, x, y: [0, 1] });
    const rows = tf.tensor2d(x);
    const bare = (at: TrainedNetwork, kernel: tf.Tensor2D): tf.Tensor =>
      tf.add(tf.matMul(rows, kernel), (Object.values(at.weights.model)[0] as { bias: tf.Tensor }).bias);
    const off = tf.sub(bare(small, tf.matMul(own!.first, own!.second)), bare(big, kernel as tf.Tensor2D));
    const state = { tensors: { weights: big.weights, statistics: {} } };
    close(numbers(hooks.loss(state, step)), [2 * numbers(tf.mean(tf.square(off)))[0]!], 5);
    expect(() => hooks.init({ network: network(net().dense(3) as never, [3]) } as never)).toThrow(
      "pela: a network of low rank",
    );
  });
});
