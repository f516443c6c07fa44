import { describe, expect, test } from "vitest";
import { digits, net, prune, random, select, tf } from "../../lib/index.ts";
import { type DepthTables, depthPlan } from "../../lib/prune/parts/depth-plan.ts";
import { apart, stirred } from "../expand/support.ts";

const few = select(
  digits().test,
  Uint32Array.from({ length: 60 }, (_, i) => i),
);
const chain = () =>
  net().conv(12, 1).batchNorm().relu().conv(12, 3, { groups: 4 }).batchNorm().relu().conv(4, 1).relu();

/** The best plan by looking at all of them: every way to cut the row, with every way to keep activations, joined in every way. */
function best({ count, cost, worth }: DepthTables, budget: number): number {
  const cheapest = (from: number, to: number): number => {
    let least = cost(from, to);
    for (let m = from + 1; m < to; m++) least = Math.min(least, cheapest(from, m) + cheapest(m, to));
    return least;
  };
  let most = Number.NEGATIVE_INFINITY;
  // each position has an activation (2), is a place where worths are joined (1), a place where merging ends too (3), or nothing of it (0)
  for (let code = 0; code < 4 ** (count - 1); code++)
    for (const end of [0, 1] as const) {
      const kinds = Array.from({ length: count - 1 }, (_, i) => Math.floor(code / 4 ** i) % 4);
      let [price, value, last, bit, wide] = [0, 0, 0, 1 as 0 | 1, 0];
      for (const [i, kind] of [...kinds, end === 1 ? 2 : 3].entries()) {
        if (kind === 0) continue;
        const now = kind === 2 ? 1 : 0;
        value += worth(last, i + 1, bit, now);
        [last, bit] = [i + 1, now];
        if (kind === 1) continue;
        price += cheapest(wide, i + 1);
        wide = i + 1;
      }
      if (price <= budget) most = Math.max(most, value);
    }
  return most;
}

describe("P190: depth compression", () => {
  test("the plan is worth as much as the best of all plans, and keeps the budget", () => {
    for (let seed = 0; seed < 12; seed++) {
      const rng = random(seed);
      const count = 5;
      const table = new Map<string, number>();
      const drawn = (key: string, make: () => number): number => {
        if (!table.has(key)) table.set(key, make());
        return table.get(key)!;
      };
      const tables: DepthTables = {
        count,
        cost: (from, to) =>
          drawn(`${from} ${to}`, () =>
            to - from > 1 && rng.at(from, to).uniform() < 0.3 ? Number.POSITIVE_INFINITY : 1 + rng.at(to, from).int(9),
          ),
        worth: (from, to, first, last) =>
          drawn(`${from} ${to} ${first} ${last}`, () =>
            from === 0 && first === 0
              ? Number.NEGATIVE_INFINITY
              : -rng.at(from, to, first, last).uniform() * (to - from),
          ),
      };
      const budget = 8 + rng.at("budget").int(12);
      const plan = depthPlan(tables, budget, budget);
      const wanted = best(tables, budget);
      if (plan === null) {
        expect(wanted).toBe(Number.NEGATIVE_INFINITY);
        continue;
      }
      expect(plan.worth).toBeCloseTo(wanted, 6);
      expect(plan.cost).toBeLessThanOrEqual(budget);
      expect(plan.merges.reduce((sum, [from, to]) => sum + tables.cost(from, to), 0)).toBeCloseTo(plan.cost, 6);
      expect(plan.merges.map(([from]) => from)).toEqual([0, ...plan.merges.slice(0, -1).map(([, to]) => to)]);
      for (const position of plan.activations) expect(plan.merges.some(([, to]) => to === position)).toBe(true);
    }
  });

  test("convolutions with steps, groups, borders and normalisations between them are merged into one that answers the same", async () => {
    const model = net()
      .conv(6, 3)
      .batchNorm()
      .relu()
      .conv(8, 3, { stride: 2, pad: 1, groups: 2 })
      .batchNorm()
      .relu()
      .conv(4, 3, { pad: "valid", bias: false })
      .tanh()
      .globalPool();
    const whole = stirred(model as never, [8, 8, 1], 10);
    // so dear that only one convolution in place of all is cheap enough
    const cost = (layer: { options: unknown }): number =>
      (layer.options as { filters: number }).filters === 4 ? 1 : 5;
    const found = await prune.depth(whole, few, { budget: 0.1, cost });
    expect(found.merges).toEqual([[0, 3]]);
    expect(found.unmerged.model.stack!.map(({ name }) => name)).toEqual([
      "conv",
      "batchNorm",
      "conv",
      "batchNorm",
      "conv",
      ...(found.activations.includes(3) ? ["tanh"] : []),
      "globalPool",
    ]);
    const { window, stride, pad } = found.network.model.stack![0]!.options as Record<string, number>;
    // 3 + 1·2 + 2·2 pixels; 1 + 1·1 + 2·0 zeros
    expect([window, stride, pad]).toEqual([9, 2, 2]);
    const x = random(3).uniforms([5, 8, 8, 1], -1, 1);
    expect(apart(found.network, found.unmerged, x)).toBeLessThan(1e-4);
    // nothing was changed in what it was made of
    expect(whole.model.stack).toHaveLength(9);
  });

  test("a chain that was widened between is cheaper as one, which the table of costs says", async () => {
    const whole = stirred(chain().globalPool() as never, [8, 8, 1], 10);
    const found = await prune.depth(whole, few, { budget: 0.5 });
    const [before, after] = found.cost;
    // 1·1·1·12 + 3·3·3·12 + 1·1·12·4 products at each of 64 pixels
    expect(before).toBe(2 * 64 * (12 + 324 + 48));
    expect(after).toBeLessThanOrEqual(0.5 * before);
    expect(after).toBe(
      found.network.model.stack!.reduce((sum, { name, options }, i, all) => {
        if (name !== "conv") return sum;
        const { window, filters, groups = 1 } = options as Record<string, number>;
        const from = all.slice(0, i).findLast((layer) => layer.name === "conv")?.options as
          | { filters: number }
          | undefined;
        return sum + (2 * 64 * window! * window! * (from?.filters ?? 1) * filters!) / groups;
      }, 0),
    );
    expect(found.report.flops.after).toBeLessThan(found.report.flops.before);
    const seconds = await prune.depth(whole, few, { budget: 0.99, cost: "seconds" });
    expect(seconds.cost[1]).toBeLessThan(seconds.cost[0]);
  });

  test("networks that are tried are trained where that is asked for, and nothing is left behind", async () => {
    const whole = stirred(
      net().conv(2, 1).relu().conv(2, 1).relu().pool(2).conv(2, 3).relu().globalPool() as never,
      [8, 8, 1],
      10,
    );
    const before = tf.memory().numTensors;
    let tuned = 0;
    const { unmerged, network } = await prune.depth(whole, few, {
      budget: 0.99,
      tune: async (tried) => {
        tuned++;
        return tried.with({});
      },
    });
    // stretches 0–1, 1–2, 0–2 and 2–3, with what is missing at either end: 1, 3, 2 and 3
    expect(tuned).toBe(9);
    unmerged.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("it says what it requires", async () => {
    const whole = stirred(chain().globalPool() as never, [8, 8, 1], 10);
    await expect(prune.depth(whole, few, { budget: 0.001 })).rejects.toThrow("a budget that some way of merging keeps");
    await expect(prune.depth(whole, few, { cost: "steps" as never })).rejects.toThrow("cost must be");
    const plain = stirred(net().flatten().dense(4) as never, [8, 8, 1], 10);
    await expect(prune.depth(plain, few)).rejects.toThrow("a network with convolutions");
  });
});
