/** Convolutions whose kernels a network draws, beside the same written in PyTorch. */
import { readFileSync } from "node:fs";
import {
  type Model,
  net,
  type Params,
  paths,
  random,
  type Tree,
  tape,
  terminator,
  tf,
  unflatten,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { peerNumbers } from "../support/peer-numbers.ts";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];

describe("P003 hyperZzw", () => {
  test("gives in training what the block written in PyTorch gives, with its gradients", () => {
    const { parameters, y, gradients } = JSON.parse(
      readFileSync(new URL("./peers/hyper-zzw.json", import.meta.url), "utf8"),
    ) as {
      readonly parameters: readonly (readonly [path: string, shape: number[], centre: number, spread: number])[];
      readonly y: number[];
      readonly gradients: readonly (readonly [product: number, length: number])[];
    };
    const model = net().hyperZzw(4, { windows: [3, 5, 1, 3], hidden: 3, groups: 2 }) as unknown as Model;
    const own = model.init(random(0), [6, 6, 2]) as Tree;
    const begun = paths(own).map(([path, { shape }]) => [path.replace("1-hyperZzw/", ""), shape]);
    expect(begun).toEqual(parameters.map(([path, shape]) => [path, shape]));
    const made: tf.Tensor[] = parameters.map(([, shape, ...how], i) => peerNumbers(i, shape, ...how));
    const params = unflatten(own as unknown, made) as Params;
    const x = peerNumbers(1000, [3, 6, 6, 2], 0, 2);
    const statistics = model.statistics([6, 6, 2]);
    const apply = (p: Params): tf.Tensor => model.apply(p, x, tape(true, null, statistics).mode);
    const given = numbers(apply(params));
    expect(given.length).toBe(y.length);
    given.forEach((value, i) => void expect(value).toBeCloseTo(y[i]!, 3));
    const { grads } = valueAndGrad((p: Params) => tf.sum(tf.mul(apply(p), peerNumbers(2000, [3, 6, 6, 4]))), params);
    for (const [i, [path, g]] of paths(grads as Tree).entries()) {
      const [product, length] = gradients[i]!;
      // what goes through a standardisation as a constant has no gradient but rounding
      if (length < 1e-4) continue;
      expect([path, numbers(tf.sum(tf.mul(g, peerNumbers(3000 + i, g.shape))))[0]! / length]).toEqual([
        path,
        expect.closeTo(product / length, 2),
      ]);
      expect([path, numbers(tf.norm(g))[0]! / length]).toEqual([path, expect.closeTo(1, 2)]);
    }
  });

  test("draws the kernels of its blocks to each other, and at test time answers each image by itself", () => {
    const model = terminator({ units: [2, 4], windows: [1, 1, 1, 1], hidden: 2, groups: 2, dropout: 0 });
    const params = model.init(random(1), [4, 4, 1]);
    const x = random(2).normals([3, 4, 4, 1], 0, 1);
    const costOf = (feedback: number): number => {
      const own = terminator({ units: [2, 4], windows: [1, 1, 1, 1], hidden: 2, groups: 2, dropout: 0, feedback });
      const run = tape(true, null, own.statistics([4, 4, 1]));
      own.apply(params, x, run.mode);
      return run.cost() === null ? 0 : numbers(run.cost()!)[0]!;
    };
    expect(costOf(0)).toBe(0);
    expect(costOf(3)).toBeCloseTo(3 * costOf(1), 5);
    // of a network that gives its bias alone: 1 and 2 channels of 0.25 and of −0.5, 0.75 in turns
    const constant = (p: Params, values: readonly number[]): Params => {
      const kernels = p.kernels as Params;
      const whole = kernels.whole as Params;
      const out = { kernel: tf.zerosLike((whole.out as Params).kernel as tf.Tensor), bias: tf.tensor1d([...values]) };
      return { ...p, kernels: { ...kernels, whole: { ...whole, out } } };
    };
    const named = terminator({ units: [2, 4], windows: [1, 1, 1, 1], hidden: 2, groups: 2, dropout: 0 });
    const run = tape(true, null, named.statistics([4, 4, 1]));
    named.apply(
      { block1: constant(params.block1 as Params, [0.25]), block2: constant(params.block2 as Params, [-0.5, 0.75]) },
      x,
      run.mode,
    );
    expect(numbers(run.cost()!)[0]).toBeCloseTo((0.75 ** 2 + 0.5 ** 2) / 2, 6);
    const still = (x: tf.Tensor): number[] => numbers(model.apply(params, x, tape(false, null, run.written()).mode));
    const one = still(tf.slice(x, [1], [1]));
    still(x)
      .slice(4, 8)
      .forEach((value, i) => void expect(value).toBeCloseTo(one[i]!, 5));
  });

  test("says what it needs", () => {
    expect(() => net().hyperZzw(4).features([4, 6, 1])).toThrow(
      "a square image [side, side, channels] is required, got shape [4,6,1]",
    );
    expect(() => net().hyperZzw(4, { windows: [2, 3, 5, 7] })).toThrow("four odd windows are required, got [2,3,5,7]");
    expect(() => net().hyperZzw(6)).toThrow("units that 4 groups divide are required, got 6");
  });
});
