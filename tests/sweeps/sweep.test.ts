import {
  averageAccuracy,
  blobs,
  classes,
  compare,
  ewc,
  grid,
  halving,
  joint,
  mlp,
  naive,
  plasticityThenStability,
  randomly,
  references,
  replay,
  sgd,
  sweep,
  tune,
} from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { runFolders, small, temporary } from "../runs/support.ts";

const { folder, clear } = temporary();
afterAll(clear);
const stream = (seed: number) => classes(blobs({ classes: 4, seed, perClass: 40 })).split(2);
const study = stream(0)
  .learn(mlp({ hidden: [8] }))
  .train({ batch: 5, epochs: 2 });
const axes = { lr: [0.001, 0.1], capacity: [5, 40] };
const build = ({ lr, capacity }: { lr: number; capacity: number }) => study.by(replay({ capacity })).with(sgd({ lr }));
const quiet = { quiet: true, record: false };

describe("a sweep", () => {
  test("trains every combination, and its best is the one with the best mean", async () => {
    const found = await sweep(axes, build, { ...quiet, seeds: 2 });
    expect(found.tried.map(({ settings }) => settings)).toEqual([
      { lr: 0.001, capacity: 5 },
      { lr: 0.001, capacity: 40 },
      { lr: 0.1, capacity: 5 },
      { lr: 0.1, capacity: 40 },
    ]);
    const means = found.tried.map(({ run }) =>
      run.measure(averageAccuracy).reduce((sum, { value }) => sum + value! / 2, 0),
    );
    expect(found.best.value).toBeCloseTo(Math.max(...means), 12);
    expect(found.frame().numRows()).toBe(8);
    expect(found.table().rows()[0]).toMatchObject({ ...found.best.settings, seeds: 2 });
    expect(found.coordinates().toSVG()).toContain("capacity");
  });

  test("that is asked for in another way is told how", async () => {
    const study = stream(1).learn(mlp({ hidden: [4] }));
    const asked = (...given: unknown[]) => (sweep as unknown as (...args: unknown[]) => Promise<unknown>)(...given);
    await expect(asked(study, {})).rejects.toThrow("sweep: lists of values by name and a function");
    await expect(asked({ lr: [0.1] })).rejects.toThrow("got undefined; write sweep({ lr: [0.01, 0.1] }");
    const search = "halving";
    await expect(asked({ lr: [0.1] }, () => study, { search })).rejects.toThrow('a search is required, got "halving"');
  });

  test("that is recorded trains only what is new", async () => {
    const record = `${folder}/sweep`;
    await sweep({ capacity: [5] }, ({ capacity }) => study.by(replay({ capacity })), { quiet: true, record });
    await sweep({ capacity: [5, 40] }, ({ capacity }) => study.by(replay({ capacity })), { quiet: true, record });
    expect(runFolders(record)).toHaveLength(2);
  });

  test("by chance takes so many, the same each time; by halving gives the better ones more seeds", async () => {
    expect(randomly(3).first(axes)).toHaveLength(3);
    expect(randomly(3).first(axes)).toEqual(randomly(3).first(axes));
    expect(
      new Set(
        randomly(4)
          .first(axes)
          .map((each) => JSON.stringify(each)),
      ).size,
    ).toBe(4);
    expect(grid().first(axes)).toHaveLength(4);
    const found = await sweep(axes, build, { ...quiet, seeds: 4, search: halving() });
    expect(found.tried.map(({ run }) => run.logs.length).sort()).toEqual([1, 1, 2, 4]);
    expect(found.best.run.logs).toHaveLength(4);
    await expect(sweep({ lr: [] }, () => study, quiet)).rejects.toThrow("sweep: at least one value of lr is required");
  });

  test("may choose on one stream and be evaluated on another, but not on the same", async () => {
    const on = (settings: { capacity: number }, which: ReturnType<typeof stream>) =>
      which.learn(mlp({ hidden: [8] })).by(replay({ capacity: settings.capacity }));
    const { settings, run, search } = await tune({ capacity: [5, 40] }, on, {
      tuneOn: stream(1),
      evaluateOn: stream(2),
      ...quiet,
    });
    expect(settings).toEqual(search.best.settings);
    expect(JSON.stringify(run.spec)).toContain(JSON.stringify(stream(2)));
    await expect(tune({ capacity: [5] }, on, { tuneOn: stream(1), evaluateOn: stream(1), ...quiet })).rejects.toThrow(
      "tune: two different streams",
    );
  });
});

describe("a loss that is not finite", () => {
  const rates = { lr: [0.05, 1e30] };
  const at = ({ lr }: { lr: number }) => study.by(naive()).with(sgd({ lr }));

  test("leaves a sweep the other settings, and is the worst of them", async () => {
    const found = await sweep({ lr: [1e30, 0.05] }, at, { ...quiet, seeds: 2 });
    expect(found.best.settings.lr).toBe(0.05);
    expect(found.table().rows().at(-1)).toMatchObject({ lr: 1e30, averageAccuracy: null });
    expect(found.tried[0]!.diverged).toContain("a finite loss is required");
    await expect(sweep({ lr: [1e30] }, at, quiet)).rejects.toThrow("sweep: no setting kept a finite loss");
  });

  test("leaves a comparison the other methods, and is told below the table", async () => {
    const both = await compare(at({ lr: 1e30 }), at({ lr: 0.05 }), { ...quiet, seeds: 2 });
    const [name] = Object.keys(both.diverged);
    expect(both.runs.map(({ name }) => name)).toEqual(["naive (lr 0.05)"]);
    expect(both.toText()).toMatch(/naive \(lr 1e\+30\) +– +–/);
    expect(both.toText().split("\n").at(-1)).toMatch(`${name}: fit: a finite loss is required`);
    expect(both.table.toHTML()).toContain("a finite loss is required");
    expect(both.curves().toSVG()).toContain("naive (lr 0.05)");
    await expect(compare(at({ lr: 1e30 }), quiet)).rejects.toThrow("a finite loss is required");
  });

  test("is known when it comes from a worker too", async () => {
    const found = await sweep(rates, at, { ...quiet, workers: 1 });
    expect(found.best.settings.lr).toBe(0.05);
  });
});

describe("the search on the first tasks", () => {
  test("takes the best rate, lowers the strength until the new task is learned, and looks at no later task", async () => {
    const seen = new Set<number>();
    const base = small().by();
    const watched = {
      ...base.spec,
      stream: {
        ...base.spec.stream,
        experience(i: number) {
          seen.add(i);
          return base.spec.stream.experience(i);
        },
      },
    };
    watched.stream = { ...watched.stream, seeded: () => watched.stream };
    const found = await plasticityThenStability(
      { spec: watched },
      {
        rates: [0.0001, 0.1],
        optimizer: (lr) => sgd({ lr }),
        strongest: 1e4,
        strategies: (lambda) => [ewc({ lambda, samples: 10 })],
        tasks: 2,
        tolerance: 0.05,
        rounds: 20,
      },
    );
    expect(found.rate).toBe(0.1);
    expect(Math.max(...seen)).toBe(1);
    const trials = found.trials.rows().filter((row) => row.phase === "stability" && row.task === 1);
    const best = Math.max(
      ...found.trials
        .rows()
        .filter((row) => row.phase === "plasticity" && row.task === 1)
        .map((row) => Number(row.accuracy)),
    );
    for (const row of trials.slice(0, -1)) expect(Number(row.accuracy)).toBeLessThan(0.95 * best);
    expect(Number(trials.at(-1)!.accuracy)).toBeGreaterThanOrEqual(0.95 * best);
    expect(found.strength).toBe(trials.at(-1)!.strength);
  });
});

describe("a comparison", () => {
  test("tests pairs of methods by seed, and corrects for their number", async () => {
    const both = await compare(study.by(naive()), study.by(replay({ capacity: 40 })), study.by(joint()), {
      ...quiet,
      seeds: 4,
    });
    const rows = both.tests().rows();
    expect(rows.map(({ method, against }) => [method, against])).toEqual([
      ["naive", "replay"],
      ["naive", "joint"],
      ["replay", "joint"],
    ]);
    const [a, b] = both.runs.map((run) => run.measure(averageAccuracy).map(({ value }) => value!));
    expect(rows[0]!.difference).toBeCloseTo(
      a!.reduce((sum, value, i) => sum + (value - b![i]!) / 4, 0),
      12,
    );
    expect(Number(rows[0]!.p)).toBeGreaterThanOrEqual(0.125); // four pairs: no less than 2 of 16
    for (const row of rows) expect(Number(row["p (Holm)"])).toBeGreaterThanOrEqual(Number(row.p));
    expect(both.ranks().ranks.reduce((sum, rank) => sum + rank, 0)).toBeCloseTo(6, 10);
  });

  test("measures against references that are trained once", async () => {
    const first = await references(study, { seeds: 2, record: false });
    const again = await references(study, { seeds: 2, record: false });
    expect(again.joint).toBe(first.joint);
    const run = await study.by(joint()).run({ ...quiet, seeds: 2 });
    const [, , closed] = first.metrics;
    expect(closed!.metric).toBe("gapClosed");
    for (const { value } of run.measure(closed!)) expect(value).toBeCloseTo(1, 10); // joint training closes the gap to itself
    for (const { value } of (await study.by(naive()).run({ ...quiet, seeds: 2 })).measure(closed!))
      expect(value).toBeCloseTo(0, 10);
    expect(first.separate[0]).toHaveLength(2);
    expect((await study.run({ ...quiet, seeds: [9] })).measure(closed!)[0]!.why).toContain("no reference with seed 9");
  });
});
