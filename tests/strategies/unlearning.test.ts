import { classes, digits, experience, mlp, naive, type Strategy, sgd, ssd, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import { type Examples, gather, joined, table } from "../../lib/data/dataset.ts";
import { disposeTree, type Tree, valueAndGrad } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { contextOf, hooksOf, small, stepOf } from "./by-hand.ts";
import { numbers } from "./support.ts";

describe("selective synaptic dampening", () => {
  const rows = (x: number[][], labels: number[]): Examples =>
    table(Float32Array.from(x.flat()), Int32Array.from(labels), [2], 1);
  const gone = rows(
    [
      [2, -1],
      [1.5, 0.3],
    ],
    [0, 0],
  );
  const kept = rows(
    [
      [-1, 0.5],
      [0.2, 1],
      [-0.7, -0.4],
    ],
    [1, 2, 1],
  );

  test("multiplies a weight by what it matters to all, divided by what it matters to those forgotten, by hand", () => {
    const { net, weights } = small([4], 2, 3);
    const stream = { taskOf: () => 0, experience: () => ({ train: kept }), head: "single" };
    const context = contextOf(net, weights, { experience: 1, stream: stream as never });
    const request = { experiences: [{ index: 0, task: 0, examples: gone }] };
    // each example's squared gradient, one at a time
    const squares = (of: Examples): number[] => {
      const sum: number[] = [];
      for (let i = 0; i < of.length; i++) {
        const one = new Float32Array(2);
        of.read([i], one);
        const { grads } = valueAndGrad((at: Weights) => {
          const step = stepOf({ net, weights: at, x: [[...one]], y: [of.labels[i]!] });
          return step.crossEntropy(step.logits, step.y, null);
        }, weights);
        numbers(grads).forEach((g, k) => {
          sum[k] = (sum[k] ?? 0) + g * g;
        });
      }
      return sum.map((s) => s / of.length);
    };
    const [own, all] = [squares(gone), squares(joined([gone, kept]))];
    const before = numbers(weights);
    for (const { alpha, lambda } of [
      { alpha: 1.5, lambda: 1 },
      { alpha: 1, lambda: 0.5 },
    ]) {
      const after = hooksOf(ssd({ alpha, lambda })).forget({}, request as never, context) as { weights: Weights };
      const wanted = before.map((w, k) =>
        own[k]! > alpha * all[k]! ? w * Math.min((lambda * all[k]!) / own[k]!, 1) : w,
      );
      expect(wanted.filter((w, k) => w !== before[k]).length).toBeGreaterThan(3);
      expect(wanted.filter((w, k) => w === before[k]).length).toBeGreaterThan(3);
      numbers(after.weights).forEach((w, k) => {
        expect(w).toBeCloseTo(wanted[k]!, 5);
      });
      disposeTree(after.weights as unknown as Tree);
    }
  });

  test("forgets digits of a class and keeps the others, without a step of training", async () => {
    const stream = classes(digits()).split(1).repeat(2).forget(["3"], { at: 1 });
    const study = stream
      .learn(mlp({ hidden: [32] }))
      .with(sgd({ lr: 0.1 }))
      .train({ epochs: 3 });
    const scores = async (own: Strategy) => {
      const run = await study.by(own as never).run({ quiet: true, record: false, until: experience(1).step(1) });
      const network = await run.network();
      const { examples } = stream.test(0);
      const x = new Float32Array(examples.length * 64);
      gather(examples, [...examples.labels.keys()], x);
      const best = tf.tidy(() => [
        ...tf.argMax(network.predict(tf.tensor(x, [examples.length, 8, 8, 1])), -1).dataSync(),
      ]);
      network.dispose();
      const share = (is: (label: number) => boolean): number => {
        const of = [...examples.labels.keys()].filter((i) => is(examples.labels[i]!));
        return of.filter((i) => best[i] === examples.labels[i]).length / of.length;
      };
      return { forgotten: share((label) => label === 3), kept: share((label) => label !== 3) };
    };
    const [plain, dampened] = [await scores(naive()), await scores(ssd({ alpha: 5 }))];
    // 0.68 to 0, and 0.892 to 0.889
    expect(plain.forgotten).toBeGreaterThan(0.5);
    expect(dampened.forgotten).toBeLessThan(0.1);
    expect(dampened.kept).toBeGreaterThan(plain.kept - 0.05);
  });
});
