import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type Ancestor,
  blobs,
  classes,
  evolutionPatterns,
  expandAxes,
  giantFormula,
  mlp,
  regularizedEvolution,
  tinyFormula,
  tinyNets,
  trials,
} from "../../lib/index.ts";

/** Settings whose worth is known, as trials; `asked` are those that were looked at. */
function known<S extends object>(value: (settings: S) => number, cost: (settings: S) => number) {
  const asked: S[] = [];
  return {
    asked,
    costOf: cost as never,
    trained: 0,
    ask: async (settings: never) => {
      asked.push(settings);
      return { settings, value: value(settings), cost: cost(settings) };
    },
  };
}

describe("P157: axes are expanded one at a time", () => {
  const axes = { width: [1, 2, 3, 4, 8], depth: [1, 2, 4] };
  type S = { readonly width: number; readonly depth: number };
  const cost = ({ width, depth }: S): number => width ** 2 * depth;

  test("each step tries one larger size of each axis, about twice as costly, and keeps the best", async () => {
    const table = known<S>(({ width, depth }) => 2 * Math.log(depth) + Math.log(width), cost);
    const { steps, best, contracted, start } = await expandAxes(axes, table as never, { target: 32 });
    expect(start.settings).toEqual({ width: 1, depth: 1 });
    // depth is worth more until it ends; then width 2 costs 16, which is nearer to twice 4 than 36; then width 3 costs 36, and is taken back
    expect(table.asked).toEqual([
      { width: 1, depth: 1 },
      { width: 2, depth: 1 },
      { width: 1, depth: 2 },
      { width: 2, depth: 2 },
      { width: 1, depth: 4 },
      { width: 2, depth: 4 },
      { width: 3, depth: 4 },
      { width: 2, depth: 4 },
    ]);
    expect(steps.map(({ axis }) => axis)).toEqual(["depth", "depth", "width", "width"]);
    expect(contracted).toBe(true);
    expect(best).toMatchObject({ settings: { width: 2, depth: 4 }, cost: 16 });
  });

  test("what went past the target is made as small along its axis as the target asks, not as small as before", async () => {
    const sizes = { width: [1, 2, 3, 4, 5, 6, 7, 8], depth: [1] };
    const table = known<S>(({ width }) => width, cost);
    const { best, contracted, steps } = await expandAxes(sizes, table as never, { target: 40, factor: 4 });
    // 1, 2 (4), 4 (16), 8 (64), which is past 40: 6 costs 36
    expect(steps).toHaveLength(3);
    expect([best.settings.width, contracted]).toEqual([6, true]);
  });

  test("costs are those of the network, and studies are trained once", async () => {
    const stream = classes(blobs({ classes: 3, dimensions: 4 }));
    const asked = trials<{ width: number[] }>(({ width }) =>
      stream.learn(mlp({ hidden: [width] })).train({ batch: 8, steps: 10 }),
    );
    expect(asked.costOf({ width: 5 })).toBe(2 * (4 * 5 + 5 * 3));
    const found = await expandAxes({ width: [2, 4, 8] }, asked, { target: 60 });
    expect(found.best).toMatchObject({ settings: { width: 4 }, cost: 56 });
    expect(asked.trained).toBe(3);
    await expandAxes({ width: [2, 4, 8] }, asked, { target: 60 });
    expect(asked.trained).toBe(3);
    expect(found.table().rows()).toHaveLength(3);
  });

  test("it says what it requires", async () => {
    const table = known<S>(() => 0, cost) as never;
    await expect(expandAxes(axes, table, { target: 0 })).rejects.toThrow("a target of at least the 1");
    await expect(expandAxes({ width: [2, 1] }, table, { target: 9 })).rejects.toThrow("from small to large");
    await expect(expandAxes(axes, table, { target: 9, factor: 1 })).rejects.toThrow("a factor above 1");
    await expect(expandAxes({ ...axes, height: [1, 2] }, table, { target: 9 })).rejects.toThrow(
      "a larger height that costs more",
    );
  });
});

describe("P401: the tiny formula", () => {
  const peer = JSON.parse(readFileSync(new URL("./peers/tiny-formula.json", import.meta.url), "utf8")) as {
    readonly networks: readonly (readonly number[])[];
    readonly costs: readonly number[];
    readonly formula: readonly (readonly number[])[];
    readonly timm: Readonly<Record<string, { readonly side: number; readonly work: number }>>;
  };

  test("is what scikit-learn's Gaussian process makes of the best fronts", () => {
    const networks = peer.networks.map(([cost, resolution, depth, accuracy]) => ({
      cost: cost!,
      resolution: resolution!,
      depth: depth!,
      accuracy: accuracy!,
    }));
    const rule = tinyFormula(networks, { share: 0.5 });
    for (const [i, cost] of peer.costs.entries()) {
      const { resolution, depth, width } = rule(cost);
      for (const [k, value] of [resolution, depth, width].entries()) expect(value).toBeCloseTo(peer.formula[i]![k]!, 5);
      expect(depth * width ** 2 * resolution ** 2).toBeCloseTo(cost, 10);
    }
  });

  test("the published networks have the images that timm's have, and cost what is said of the least of them", () => {
    for (const [name, { resolution }] of Object.entries(tinyNets))
      expect(Math.abs(peer.timm.base!.side * resolution - peer.timm[name]!.side)).toBeLessThan(1);
    expect(Math.round(peer.timm.e!.work / 1e6)).toBe(24);
    const cost = (name: keyof typeof tinyNets): number => {
      const { resolution, depth, width } = tinyNets[name];
      return depth * width ** 2 * resolution ** 2;
    };
    expect(cost("a")).toBeCloseTo(peer.timm.a!.work / peer.timm.base!.work, 1);
    expect(cost("e")).toBeCloseTo(peer.timm.e!.work / peer.timm.base!.work, 1);
  });

  test("compound scaling gives half the cost by nearly one exponent less, and both say what they require", () => {
    const { resolution, depth, width } = giantFormula(1.2 * 1.1 ** 2 * 1.15 ** 2);
    for (const [got, want] of [
      [resolution, 1.15],
      [depth, 1.2],
      [width, 1.1],
    ] as const)
      expect(got).toBeCloseTo(want, 10);
    expect(() => giantFormula(0)).toThrow("a cost above 0");
    expect(() => tinyFormula([])).toThrow("at least two networks");
    const one = { cost: 1, resolution: 1, depth: 0, accuracy: 1 };
    expect(() => tinyFormula([one, one])).toThrow("above 0 are required, got 0");
  });
});

describe("P191: patterns of an evolution", () => {
  const axes = { a: [0, 1, 2], b: [0, 1, 2], c: [0, 1, 2] };
  const table = () =>
    known<{ a: number; b: number; c: number }>(
      ({ a, b, c }) => a + 2 * b + 3 * c - a * c,
      () => 1,
    ) as never;

  test.each(["oldest", "worst"] as const)(
    "a child has one axis otherwise, and the %s makes place for it",
    async (removes) => {
      const [population, children] = [6, 40];
      const { lineage, best } = await regularizedEvolution(axes, table(), { population, sample: 3, children, removes });
      expect(lineage).toHaveLength(population + children);
      for (const [at, { donor, changed, settings }] of lineage.entries()) {
        if (at < population) expect(donor).toBe(null);
        else {
          const from = lineage[donor!]!;
          expect(from.removed ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(at);
          const differs = Object.keys(axes).filter((axis) => settings[axis as "a"] !== from.settings[axis as "a"]);
          expect(differs).toEqual([changed]);
          // who was removed when it came
          const gone = lineage.findIndex(({ removed }) => removed === at + 1);
          const alive = lineage.slice(0, at + 1).filter(({ removed }) => removed === null || removed >= at + 1);
          expect(alive).toHaveLength(population + 1);
          if (removes === "oldest") expect(gone).toBe(at - population);
          else expect(lineage[gone]!.value).toBe(Math.min(...alive.map(({ value }) => value)));
        }
      }
      expect(best.value).toBe(Math.max(...lineage.map(({ value }) => value)));
      const again = await regularizedEvolution(axes, table(), { population, sample: 3, children, removes });
      expect(again.lineage).toEqual(lineage);
    },
  );

  test("children that are made at once know nothing of each other", async () => {
    const { lineage } = await regularizedEvolution(axes, table(), {
      population: 8,
      sample: 2,
      children: 30,
      atOnce: 5,
    });
    for (const [at, { donor }] of lineage.entries())
      if (donor !== null) expect(donor).toBeLessThan(8 + 5 * Math.floor((at - 8) / 5));
  });

  test("donors, ages, caches and repetitions are those counted by hand", () => {
    const one = (a: number, b: number, donor: number | null): Ancestor<{ a: number[]; b: number[] }> => ({
      settings: { a, b },
      value: 0,
      cost: 1,
      donor,
      changed: null,
      removed: null,
    });
    // architectures: x = (0, 0), y = (0, 1), z = (1, 0), x again
    const lineage = [
      one(0, 0, null),
      one(0, 1, 0),
      one(1, 0, 0),
      one(1, 1, 2),
      one(0, 0, 2),
      one(0, 2, 4),
      one(2, 0, 2),
    ];
    const found = evolutionPatterns(lineage, { window: 3 });
    // asked for: x x z z x z
    expect(found.donors).toEqual([
      {
        settings: { a: 0, b: 0 },
        children: 3,
        first: 1,
        last: 5,
        peak: { share: 2 / 3, at: 3 },
        shares: [2 / 3, 1 / 3, 1 / 3, 1 / 3],
      },
      {
        settings: { a: 1, b: 0 },
        children: 3,
        first: 3,
        last: 6,
        peak: { share: 2 / 3, at: 4 },
        shares: [1 / 3, 2 / 3, 2 / 3, 2 / 3],
      },
    ]);
    expect(found.distinct).toBe(2);
    expect(found.ages).toEqual([1, 2, 1, 2, 1, 4]);
    expect([found.hits(1), found.hits(2)]).toEqual([2 / 6, 4 / 6]);
    expect(found.repeated).toBe(1 / 6);
    // before the first difference: 1, 0, 1, 0, 1, 0 of two axes
    expect(found.prefix).toBe((0.5 + 0 + 0.5 + 0 + 0.5 + 0) / 6);
    expect(() => evolutionPatterns(lineage)).toThrow("at least the 32 children");
  });

  test("it says what it requires", async () => {
    await expect(regularizedEvolution(axes, table(), { population: 2, sample: 3 })).rejects.toThrow(
      "a sample of at most the 2",
    );
    await expect(regularizedEvolution({ a: [1] }, table())).rejects.toThrow("an axis with two values");
  });
});
