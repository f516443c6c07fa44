import { expect, test } from "vitest";
import { autoLrs, blobs, classes, mlp, sgd } from "../../lib/index.ts";
import { forecast, nextRate } from "../../lib/sweeps/auto-lrs.ts";

test("a forecast finds the exponential that the first losses lie on", () => {
  const curve = (t: number): number => 2 * Math.exp(-0.05 * t) + 0.5;
  const first = Array.from({ length: 20 }, (_, t) => curve(t + 1));
  expect(forecast(first, 200)).toBeCloseTo(curve(200), 2);
  // where nothing falls, the mean
  expect(forecast([1, 2, 3, 4], 100)).toBeCloseTo(2.5, 6);
});

test("rates are tried where a Gaussian process may have its least value", () => {
  const range = [1e-4, 1] as const;
  const best = 0.03;
  const loss = (lr: number): number => (lr > 0.5 ? Number.POSITIVE_INFINITY : Math.log10(lr / best) ** 2);
  const tried: { lr: number; forecast: number }[] = [];
  for (let k = 0; k < 12; k++) {
    const lr = nextRate(tried, range, 2);
    tried.push({ lr, forecast: loss(lr) });
  }
  expect(tried[0]!.lr).toBeCloseTo(0.01, 6);
  const found = tried.reduce((a, b) => (b.forecast < a.forecast ? b : a)).lr;
  expect(Math.abs(Math.log10(found / best))).toBeLessThan(0.15);
  expect(Math.min(...tried.map(({ lr }) => lr))).toBeGreaterThanOrEqual(range[0]);
});

test("autoLrs goes on from each stage's beginning with the rate whose trial promised most, as a run with these rates would", async () => {
  const study = classes(blobs({ classes: 3, dimensions: 4, perClass: 40 }))
    .split(1)
    .learn(mlp({ hidden: [6] }))
    .train({ batch: 10, steps: 24 })
    .evaluate({ every: "end", atStart: false });
  const options = { lr: [1e-3, 1e4], stage: 12, stages: 2, trials: 4, trial: 4, seed: 3 } as const;
  const found = await autoLrs(({ lr }) => study.with(sgd({ lr })), options);
  expect(found.rates).toHaveLength(2);
  for (const [s, all] of found.tried.entries()) {
    const best = all.reduce((a, b) => (b.forecast < a.forecast ? b : a));
    expect(found.rates[s]).toBe(best.lr);
  }
  const losses = found.events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
  expect(losses).toHaveLength(24);
  // the first stage is that of a plain run at its rate
  const plain = await study.with(sgd({ lr: found.rates[0]! })).run({ seeds: [3], quiet: true, record: false });
  const wanted = plain.logs[0]!.events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
  expect(losses.slice(0, 12)).toEqual(wanted.slice(0, 12));
  expect(await autoLrs(({ lr }) => study.with(sgd({ lr })), options)).toEqual(found);
  await expect(autoLrs(({ lr }) => study.with(sgd({ lr })), { lr: [1, 0.1] })).rejects.toThrow(
    "lr [least, most] above 0 is required, got [1, 0.1]",
  );
});
