/** Coupled systems that paths move, beside the same written in PyTorch. */
import { readFileSync } from "node:fs";
import { type Model, net, type Params, paths, random, type Tree, tape, tf, unflatten, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";
import { splineDerivatives } from "../../lib/models/parts/natural-spline.ts";
import { peerNumbers } from "../support/peer-numbers.ts";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
interface Told {
  readonly parameters: readonly (readonly [path: string, shape: number[], centre: number, spread: number])[];
  readonly y: number[];
  readonly gradients: readonly (readonly [product: number, length: number])[];
}

describe("P074 decouple", () => {
  const told = JSON.parse(readFileSync(new URL("./peers/decouple.json", import.meta.url), "utf8")) as Record<
    string,
    Told
  >;

  test.each([
    ["softmax", "continuous"],
    ["sparsemax", "continuous"],
    ["softmax", "direct"],
  ] as const)(
    "by %s with %s interactions it gives what the systems written in PyTorch give, with their gradients",
    (projection, interactions) => {
      const { parameters, y, gradients } = told[`${projection}, ${interactions}`]!;
      const model = net().decouple(3, 4, { projection, interactions, times: true }) as unknown as Model;
      const own = model.init(random(0), [5, 3]) as Tree;
      expect(paths(own).map(([path, { shape }]) => [path.replace("1-decouple/", ""), shape])).toEqual(
        parameters.map(([path, shape]) => [path, shape]),
      );
      const made: tf.Tensor[] = parameters.map(([, shape, ...how], i) => peerNumbers(i, shape, ...how));
      const params = unflatten(own as unknown, made) as Params;
      const x = tf.concat([peerNumbers(1000, [2, 5, 2], 0, 2), tf.expandDims(peerNumbers(1001, [2, 5], 1, 1), 2)], 2);
      const apply = (p: Params): tf.Tensor => model.apply(p, x, tape(true, null, {}).mode);
      const { value, grads } = valueAndGrad(
        (p: Params) => tf.sum(tf.mul(apply(p), peerNumbers(2000, [2, 12]))),
        params,
      );
      expect(Number.isFinite(numbers(value)[0])).toBe(true);
      numbers(apply(params)).forEach((v, i) => void expect(v).toBeCloseTo(y[i]!, 4));
      for (const [i, [path, g]] of paths(grads as Tree).entries()) {
        const [product, length] = gradients[i]!;
        const size = Math.max(length, 1e-3);
        expect([path, numbers(tf.sum(tf.mul(g, peerNumbers(3000 + i, g.shape))))[0]! / size]).toEqual([
          path,
          expect.closeTo(product / size, 3),
        ]);
      }
    },
  );

  test("its paths are straight where the places lie on a line, however uneven the times", () => {
    const gaps = tf.tensor2d([[0.5, 2, 1]]);
    const x = tf.tensor3d([0, 1, 5, 7], [1, 4, 1]);
    expect(numbers(splineDerivatives(x, gaps, [0, 0.5]))).toEqual(
      Array.from({ length: 6 }, () => expect.closeTo(2, 5)),
    );
    // x = 0, 1, 0 at even times: slopes 3/2, 0, −3/2 and 1.5 (1 − s²) on the first way
    expect(numbers(splineDerivatives(tf.tensor3d([0, 1, 0], [1, 3, 1]), tf.ones([1, 2]), [0, 0.5]))).toEqual(
      [1.5, 1.125, 0, -1.125].map((v) => expect.closeTo(v, 5)),
    );
  });

  test("says what it needs", () => {
    expect(() => net().decouple(2, 3).features([1, 4])).toThrow(
      "a sequence of at least two places is required, got shape [1,4]",
    );
  });
});
