import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { naive, replay, store } from "thalweg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { small, temporary } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);

describe("a store of runs", () => {
  const record = join(folder, "few");
  beforeAll(async () => {
    const study = small().train({ epochs: 2 });
    await study.by(naive()).run({ quiet: true, record, seeds: 2 });
    await study.by(replay({ capacity: 20 })).run({ quiet: true, record });
  });

  test("lists what is in it, with or without its index", () => {
    const rows = store(record).list().rows();
    expect(rows.map(({ name, seed, state, steps }) => [name, seed, state, steps])).toEqual([
      ["naive", 0, "finished", 144],
      ["naive", 1, "finished", 144],
      ["replay", 0, "finished", 144],
    ]);
    rmSync(join(record, "index.jsonl"));
    expect(store(record).list().rows()).toEqual(rows);
    writeFileSync(join(record, "index.jsonl"), '{"key":"cut sho');
    expect(store(record).list().rows()).toEqual(rows);
  });

  test("opens a run by its key and an experiment with all its seeds", () => {
    const [first] = store(record).list().rows();
    expect(
      store(record)
        .open(String(first!.key))
        .logs.map(({ seed }) => seed),
    ).toEqual([0]);
    const both = store(record).open(String(first!.hash));
    expect(both.logs.map(({ seed }) => seed)).toEqual([0, 1]);
    expect(both.name).toBe("naive");
    expect(() => store(record).open("nothing")).toThrow("open: the key of a run or the hash of a study");
  });

  test("answers SQL over runs, evaluations and steps", async () => {
    const best = await store(record).sql(
      "select name, avg(averageAccuracy) as accuracy, count(*) as runs from runs group by name order by name",
    );
    const rows = store(record).list().rows();
    const mean = (Number(rows[0]!.averageAccuracy) + Number(rows[1]!.averageAccuracy)) / 2;
    expect(best.rows()[0]).toMatchObject({ name: "naive", runs: 2 });
    expect(Number(best.rows()[0]!.accuracy)).toBeCloseTo(mean, 12);
    const last = await store(record).sql(
      "select r.name, r.seed, avg(e.accuracy) as accuracy from runs r join evaluations e using (key) where e.moment = 'experience' and e.after = 2 group by all order by all",
    );
    expect(last.rows().map((row) => Number(row.accuracy))).toEqual(
      rows.map((row) => expect.closeTo(Number(row.averageAccuracy), 12)),
    );
    const capacity = await store(record).sql(
      "select spec->'strategies'->0->'options'->>'capacity' as capacity from runs where name = 'replay'",
    );
    expect(capacity.rows()).toEqual([{ capacity: "20" }]);
    expect((await store(record).sql("select count(*) as n from steps")).rows()).toEqual([{ n: 432 }]);
    const online = await store(record).sql(
      "select r.seed, r.prequentialAccuracy as told, sum(s.accuracy * s.examples) / sum(s.examples) as own from runs r join steps s using (key) where s.epoch = 0 group by all",
    );
    for (const { told, own } of online.rows()) expect(told).toBeCloseTo(Number(own), 12);
    const ranks = await store(record).sql(
      "select count(distinct step) as times from probes where name = 'effectiveRank' group by key",
    );
    expect(ranks.rows().map(({ times }) => times)).toEqual([4, 4, 4]); // before training and after three experiences
    await expect(store(record).sql("select nonsense from runs")).rejects.toThrow("nonsense");
  });

  test("gives back runs that show what they cost and whether they could still learn", () => {
    const run = store(record).open(String(store(record).list().rows()[0]!.hash));
    expect(run.costs().array("metric")).toContain("cost.flops");
    expect(run.plasticity().data.length).toBeGreaterThan(3);
    expect(run.summary().array("metric")).toContain("prequential.accuracy");
  });

  test("says which package is missing when there is no DuckDB", async () => {
    vi.doMock("@duckdb/node-api", () => {
      throw new Error("not found");
    });
    vi.resetModules();
    const { query } = await import("../../lib/runs/sql.ts");
    await expect(query(record, [], "select 1")).rejects.toThrow(
      "sql: the package @duckdb/node-api is required, got none; install it with npm install",
    );
    vi.doUnmock("@duckdb/node-api");
  });

  test("removes what it is told to, and nothing that is being trained", () => {
    const key = String(store(record).list().rows()[2]!.key);
    const [name] = readdirSync(record).filter((each) => each.endsWith(key));
    const lock = join(record, name!, "lock");
    writeFileSync(lock, JSON.stringify({ host: "elsewhere", pid: 1, born: "", token: "" }));
    expect(() => store(record).remove(key)).toThrow("trains; stop it first");
    rmSync(lock);
    store(record).remove(key);
    expect(store(record).list().numRows()).toBe(2);
  });
});

test("ten thousand runs are listed, opened and asked with SQL within a second each", async () => {
  const record = join(folder, "many");
  mkdirSync(record);
  const lines: string[] = [];
  const spec = small().toJSON();
  for (let i = 0; i < 10_000; i++) {
    const key = i.toString(16).padStart(16, "0");
    const name = `replay+ewc-seed${i}-${key}`;
    mkdirSync(join(record, name));
    lines.push(
      JSON.stringify({
        key,
        name: "replay+ewc",
        seed: i,
        hash: "h",
        tasks: 3,
        device: "d",
        code: "c",
        origin: null,
        finished: true,
        date: "2026-01-01T00:00:00Z",
        steps: 10,
        seconds: 1,
        averageAccuracy: (i % 100) / 100,
        averageIncrementalAccuracy: 0.5,
        prequentialAccuracy: 0.5,
        forgetting: 0.1,
        folder: name,
        spec,
      }),
    );
  }
  writeFileSync(join(record, "index.jsonl"), `${lines.join("\n")}\n`);
  const at = store(record);
  const seconds = async (work: () => unknown): Promise<number> => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6; // of this process: the machine may have other things to do
  };
  expect(await seconds(() => expect(at.list().numRows()).toBe(10_000))).toBeLessThan(1);
  let mean: unknown;
  await at.sql("select 1"); // loads DuckDB
  expect(
    await seconds(
      async () =>
        (mean = (
          await at.sql("select avg(averageAccuracy) as mean from runs where spec->'training'->>'batch' = '5'")
        ).rows()[0]!.mean),
    ),
  ).toBeLessThan(1);
  expect(mean).toBeCloseTo(0.495, 10);
}, 120_000);
