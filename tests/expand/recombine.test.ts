import { expand, net, random, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import { at, numbers, stirred } from "./support.ts";

describe("networks of templates (P359)", () => {
  const model = net()
    .templateConv(3, 3)
    .batchNorm()
    .relu()
    .templateConv(4, 3)
    .relu()
    .globalPool()
    .templateDense(2)
    .tanh();
  const [a, b] = [stirred(model, [6, 6, 1], 3, 1), stirred(model, [6, 6, 1], 3, 2)];
  const x = random(3).normals([4, 6, 6, 1]);

  test("have kernels that are the sums of coefficients times templates, block by block", () => {
    const made = stirred(net().templateDense(4, { grid: [2, 2], bias: false }), [2]);
    const kernel = [0, 1].flatMap((i) =>
      [0, 1, 2, 3].map((column) => {
        const j = Math.floor(column / 2);
        const [first, second] = numbers(at(made, `model/1-templateDense/coefficients/${i + 1}-${j + 1}`));
        const templates = numbers(at(made, `model/1-templateDense/templates/${j + 1}`));
        return first! * templates[column % 2]! + second! * templates[2 + (column % 2)]!;
      }),
    );
    expect(numbers(made.features(tf.eye(2))).map((v) => v.toFixed(5))).toEqual(kernel.map((v) => v.toFixed(5)));
    expect(made.flops).toBe(2 * (2 * 4) + 2 * (4 * 3));
    expect(() =>
      net()
        .templateDense(3, { grid: [1, 2] })
        .summary([2]),
    ).toThrow("that the grid [1,2] divides are required");
  });

  test("put together without new coefficients give the sum of their logits", () => {
    const { network: both, report } = expand.recombine(a, b, { scale: 0 });
    const wanted = numbers(tf.add(a.predict(x), b.predict(x)));
    numbers(both.predict(x)).forEach((logit, i) => {
      expect(logit).toBeCloseTo(wanted[i]!, 5);
    });
    expect(report.parameters[1]).toBeGreaterThan(2 * report.parameters[0]);
    expect(both.model.features([6, 6, 1])).toEqual([4]);
  });

  test("have new coefficients of length 1 at right angles to those that their templates had", () => {
    const grown = expand.recombine(a, b).network;
    const of = (name: string) => numbers(at(grown, `model/4-templateConv/coefficients/${name}`));
    const dot = (u: number[], v: number[]) => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
    for (const [fresh, before] of [
      ["1-2", "2-2"],
      ["2-1", "1-1"],
    ] as const) {
      expect(dot(of(fresh), of(before))).toBeCloseTo(0, 6);
      expect(dot(of(fresh), of(fresh))).toBeCloseTo(1, 6);
    }
    expect(of("1-1")).toEqual(numbers(at(a, "model/4-templateConv/coefficients/1-1")));
    expect(expand.recombine(grown, grown).network.model.features([6, 6, 1])).toEqual([8]);
  });

  test("say what cannot be", () => {
    const plain = stirred(net().dense(3), [2]);
    expect(() => expand.recombine(plain, plain)).toThrow("layers of templates, batchNorm and functions of each number");
    expect(() => expand.recombine(a, plain)).toThrow("two networks of the same layers");
  });
});
