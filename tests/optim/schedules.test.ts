import { readFileSync } from "node:fs";
import {
  blobs,
  classes,
  cosineRestarts,
  exponential,
  infinite,
  mlp,
  oneCycle,
  power,
  type Schedule,
  schedule,
  stepped,
  warmup,
  wsd,
} from "thalweg";
import { describe, expect, test } from "vitest";

const torch = JSON.parse(readFileSync(new URL("peers/schedules.json", import.meta.url), "utf8")) as Record<
  string,
  number[]
>;

const factors = ({ factor }: Schedule, steps: number, more: object = {}): number[] =>
  Array.from({ length: steps }, (_, step) => factor({ step, steps, epoch: step, experience: 0, taken: step, ...more }));

const close = (got: readonly number[], wanted: readonly number[]): void => {
  expect(got).toHaveLength(wanted.length);
  wanted.forEach((value, i) => {
    expect(got[i]).toBeCloseTo(value, 9);
  });
};

describe("schedules give PyTorch's rates at every step", () => {
  test("one cycle", () => {
    close(factors(oneCycle(), 40), torch.oneCycle!);
    close(factors(oneCycle({ rise: 0.2, divide: 10, last: 100 }), 37), torch.oneCycleEarly!);
  });

  test("cosine with restarts", () => {
    close(factors(cosineRestarts({ steps: 5, growth: 2, floor: 0.1 }), 40), torch.cosineRestarts!);
  });

  test("exponential, by steps and by passes", () => {
    close(factors(exponential({ gamma: 0.9, every: "step" }), 20), torch.exponential!);
    close(factors(exponential({ gamma: 0.9 }), 20), torch.exponential!);
  });

  test("steps at milestones", () => {
    close(factors(stepped({ at: [0.5, 0.75] }), 20), torch.stepped!);
  });

  test("warmup, which is at its whole rate in the last of its steps", () => {
    // LinearLR goes from start_factor at step 0; ours at step k is where it is after k + 1 of 10 equal steps from 0.
    close(factors(warmup({ steps: 10 }), 15), torch.warmup!);
  });
});

describe("schedules worked by formula", () => {
  test("warmup, stable, decay: exponential to its floor at the end, and by its inverse", () => {
    const own = factors(wsd({ warmup: 4, decay: 0.25, floor: 0.01 }), 40);
    close(own.slice(0, 5), [0.25, 0.5, 0.75, 1, 1]);
    close(own.slice(4, 31), Array(27).fill(1));
    own.slice(31).forEach((factor, i) => {
      expect(factor).toBeCloseTo(0.01 ** ((i + 1) / 10), 9);
    });
    const inverse = factors(wsd({ warmup: 0, decay: 0.5, floor: 0.1, shape: "inverse" }), 20);
    // 1/f rises from 1 to 10 in ten equal steps.
    inverse.slice(10).forEach((factor, i) => {
      expect(1 / factor).toBeCloseTo(1 + 0.9 * i, 9);
    });
  });

  test("over a run it knows no experiences: a longer total is the same until the shorter one falls", () => {
    const short = wsd({ over: "run", total: 100, warmup: 5, decay: 0.2 });
    const long = wsd({ over: "run", total: 300, warmup: 5, decay: 0.2 });
    for (let taken = 0; taken < 80; taken++) {
      const moment = { step: taken % 10, steps: 10, epoch: 0, experience: Math.floor(taken / 10), taken };
      expect(short.factor(moment)).toBe(long.factor(moment));
    }
    const last = { step: 9, steps: 10, epoch: 0, experience: 9, taken: 99 };
    expect(short.factor(last)).toBeLessThan(0.2);
    expect(long.factor(last)).toBe(1);
  });

  test("the infinite schedule has the four phases of its equation, whatever the experience", () => {
    const options = { warmup: 10, cooldown: 20, constant: 0.4, floor: 0.004, steps: 50 };
    const { factor } = infinite({ ...options, anneal: 100 });
    const at = (taken: number): number => factor({ step: taken % 7, steps: 7, epoch: 0, experience: taken, taken });
    for (let n = 0; n < 10; n++) expect(at(n)).toBeCloseTo(n / 10, 12);
    for (let n = 10; n < 30; n++) expect(at(n)).toBeCloseTo(0.4 + 0.3 * (1 + Math.cos((Math.PI * (n - 10)) / 20)), 12);
    for (let n = 30; n <= 100; n++) expect(at(n)).toBeCloseTo(0.4, 12);
    for (let n = 100; n < 300; n++) expect(at(n)).toBeCloseTo(0.4 * 0.01 ** ((n - 100) / 150), 12);
    const never = infinite(options);
    expect(never.factor({ step: 0, steps: 7, epoch: 0, experience: 9, taken: 1e6 })).toBeCloseTo(0.4, 12);
  });

  test("the power scheduler goes by examples: batches of another size have rates in proportion at the same place", () => {
    const { factor } = power({ a: 2, b: -0.51, warmup: 8 });
    const at = (taken: number, batch: number): number =>
      factor({ step: taken, steps: 1e6, epoch: 0, experience: 0, taken, batch });
    for (const taken of [8, 100, 5000]) expect(at(taken, 4)).toBeCloseTo(Math.min(1, 4 * 2 * (4 * taken) ** -0.51), 12);
    expect(at(2000, 8) / at(4000, 4)).toBeCloseTo(2, 9);
    expect(at(3, 4)).toBeCloseTo((Math.min(1, 8 * 32 ** -0.51) * 4) / 8, 12);
    const falling = power({ a: 2, b: 0, warmup: 0, decay: 0.5, floor: 0.01 });
    expect(falling.factor({ step: 75, steps: 100, epoch: 0, experience: 0, taken: 75, batch: 1 })).toBeCloseTo(0.1, 12);
  });
});

describe("what a schedule is asked in a run", () => {
  test("counts steps of the run and examples, over experiences and passes", async () => {
    const asked: [number, number, number, number, number][] = [];
    const noting = schedule("noting", {}, () => ({ step, taken, seen, examples, epoch }) => {
      asked.push([step, taken!, seen!, examples!, epoch]);
      return 1;
    });
    const study = classes(blobs({ classes: 4, dimensions: 3, perClass: 20 }))
      .split(2)
      .learn(mlp({ hidden: [] }));
    for await (const _ of study.with(noting()).train({ batch: 12, epochs: 2 }).evaluate({ share: 0 }).fit());
    const n = asked[0]![3];
    const per = Math.ceil(n / 12);
    asked.forEach(([step, taken, seen, examples, epoch], i) => {
      const local = i % (2 * per);
      expect([step, taken, examples]).toEqual([local, i, n]);
      expect(epoch).toBe(Math.floor(local / per));
      expect(seen).toBe(epoch * n + (local % per) * 12);
    });
  });
});
