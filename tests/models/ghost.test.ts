import { net, random, rateByBatch, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import type { Params } from "../../lib/models/model.ts";
import { tape } from "../../lib/models/model.ts";
import { now } from "../optim/support.ts";

describe("P340: ghost batches", () => {
  const model = net().batchNorm({ ghost: 3, momentum: 0.2, epsilon: 0 }).flatten();
  const rows = Array.from({ length: 7 }, (_, i) => [((i * 5) % 7) + 0.5, (i * i) % 5]);
  const x = tf.tensor2d(rows);

  test("are normalised each by itself, the last being what is left", () => {
    const params = model.init(random(0), [2]);
    const noted = tape(true, null, model.statistics([2]));
    const y = model.apply(params, x, noted.mode).arraySync() as number[][];
    const groups = [rows.slice(0, 3), rows.slice(3, 6)];
    const moments = groups.map((group) =>
      [0, 1].map((c) => {
        const values = group.map((row) => row[c]!);
        const mean = values.reduce((a, b) => a + b) / 3;
        return { mean, sum: values.reduce((s, v) => s + (v - mean) ** 2, 0) };
      }),
    );
    for (const [i, row] of groups.flat().entries())
      for (const [c, v] of row.entries()) {
        const { mean, sum } = moments[Math.floor(i / 3)]![c]!;
        expect(y[i]![c]).toBeCloseTo((v - mean) / Math.sqrt(sum / 3), 4);
      }
    const written = Object.values(noted.written())[0] as Params;
    const running = (written.mean as tf.Tensor).dataSync();
    const spread = (written.variance as tf.Tensor).dataSync();
    [0, 1].forEach((c) => {
      // m ← 0.8 m + 0.2 μ_i for the three ghost batches in turn; the last has one row, of variance 0
      const means = [...moments.map((m) => m[c]!.mean), rows[6]![c]!];
      expect(running[c]).toBeCloseTo(
        means.reduce((m, mean) => 0.8 * m + 0.2 * mean, 0),
        5,
      );
      const variances = [...moments.map((m) => m[c]!.sum / 2), 0];
      expect(spread[c]).toBeCloseTo(
        variances.reduce((m, v) => 0.8 * m + 0.2 * v, 1),
        5,
      );
    });
  });

  test("stand in the record only where there are some", () => {
    const spec = JSON.stringify(net().batchNorm().spec);
    expect(spec).not.toContain("ghost");
    expect(JSON.stringify(model.spec)).toContain('"ghost":3');
    expect(() => net().batchNorm({ ghost: -1 })).toThrow("ghost must be a whole number");
  });

  test("have a rate that goes with the batch or its root", () => {
    expect(rateByBatch({ rule: "root", reference: 10 }).plan.rate!(now({ batch: 90 }))).toBeCloseTo(3, 12);
    expect(rateByBatch({ reference: 10, times: 2 }).plan.rate!(now({ batch: 90 }))).toBeCloseTo(18, 12);
  });
});
