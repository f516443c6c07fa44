import { experience, lwf, naive, type Run, replay, sgd, store, task } from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { runFolders, small, temporary, timeless } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);
const events = (run: Run) => timeless(run.logs[0]!.events);

describe.each([
  ["with a record", `${folder}/travel`],
  ["without a record", false],
] as const)("a fork of a run %s", (_, record) => {
  const study = small();

  test("that changes nothing gives the same numbers as the run, from every kind of place", async () => {
    const run = await study.run({ quiet: true, record });
    for (const spot of [task(0), task(1).step(1), task(1).step(40), experience(2), experience(2).step(96)])
      expect(events(await run.at(spot).fork())).toEqual(events(run));
  });

  test("with another strategy is the run until there, and something else after", async () => {
    const run = await study.by(naive()).run({ quiet: true, record });
    const fork = await run.at(task(1).step(40)).fork({ strategies: [replay({ capacity: 40 })] });
    const [a, b] = [events(run), events(fork)];
    const parting = a.findIndex((event, i) => JSON.stringify(event) !== JSON.stringify(b[i]));
    const at = a[parting]!;
    expect(at.type === "step" || at.type === "evaluated").toBe(true);
    expect("step" in at && at.step).toBeGreaterThanOrEqual(96 + 40);
    expect("step" in at && at.step).toBeLessThanOrEqual(96 + 41 + 16);
    expect(fork.matrix().values.at(-1)![1]).toBeGreaterThan(run.matrix().values.at(-1)![1]!);
    expect(fork.name).toBe("naive → replay");
  });

  test("with a strategy that looks at the weights before an experience begins where it joins", async () => {
    const run = await study.by(naive()).run({ quiet: true, record });
    const fork = await run.at(task(2).step(10)).fork({ strategies: [lwf()] });
    const steps = fork.logs[0]!.events.flatMap((event) => (event.type === "step" ? [event] : []));
    expect(Object.keys(steps.at(-1)!.terms)).toContain("lwf");
    expect(Object.keys(steps[0]!.terms)).not.toContain("lwf");
  });

  test("may go on with another optimizer, and be forked again", async () => {
    const run = await study.by(naive()).run({ quiet: true, record });
    const slow = await run.at(task(1)).fork({ optimizer: sgd({ lr: 0.001 }) });
    const again = await slow.at(task(2).step(5)).fork();
    expect(events(again)).toEqual(events(slow));
    expect(events(slow)).not.toEqual(events(run));
  });

  test("shows the loss on the straight way to another place, from what was measured there to what was measured here", async () => {
    const run = await small().run({ quiet: true, record: false, seeds: 2 });
    const figure = await run.at(task(0).end()).landscape(task(1).end(), { points: 3 });
    const lossAfter = (after: number) =>
      run.logs.map(({ events }) => {
        const found = events.find(
          (event) => event.type === "evaluated" && event.after === after && event.on === 0 && event.at === "experience",
        );
        return found?.type === "evaluated" ? found.loss : Number.NaN;
      });
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const line = figure.data.find(({ name, x }) => name === "task 0" && x?.length === 3) as {
      readonly y: readonly number[];
    };
    expect(line.y[0]).toBeCloseTo(mean(lossAfter(0)), 4);
    expect(line.y[2]).toBeCloseTo(mean(lossAfter(1)), 4);
    expect(figure.layout.xaxis?.title?.text).toBe("share of the way from the end of task 0 to the end of task 1");
  });

  test("refuses places that the run does not come to", async () => {
    const run = await study.by(naive()).run({ quiet: true, record });
    await expect(run.at(task(7)).fork()).rejects.toThrow(
      "at: a place that the run has come to is required, got task 7",
    );
    await expect(run.at(task(1).step(97)).fork()).rejects.toThrow("task 1 has 96 steps, got step 97");
    expect(() => task(1).step(-1)).toThrow("at: a whole number of steps");
  });
});

describe("a recorded fork", () => {
  test("is a run of its own that is not trained again, and the run it came from stays as it was", async () => {
    const record = `${folder}/fork`;
    const run = await small().run({ quiet: true, record, checkpointSeconds: 0 });
    const first = await run.at(task(1).step(40)).fork({ strategies: [naive()] });
    const second = await run.at(task(1).step(40)).fork({ strategies: [naive()] });
    expect(second.logs).toEqual(first.logs);
    expect(runFolders(record)).toHaveLength(2);
    const rows = store(record).list().rows();
    expect(rows.find((row) => row.origin !== null)?.origin).toBe(`${rows.find((row) => row.origin === null)?.key}@136`);
    expect(store(record).open(String(rows[0]!.key)).logs).toEqual(run.logs);
  });

  test("takes again only the steps since the nearest checkpoint", async () => {
    const record = `${folder}/near`;
    const run = await small().run({ quiet: true, record, checkpointSeconds: 0 });
    const { retaken, cursor } = await run.at(task(2).step(3)).state();
    expect(cursor.step).toBe(96 * 2 + 3);
    expect(retaken).toBe(3);
  });

  test("cannot come from a run that was only read, and says what to do", async () => {
    const record = `${folder}/read`;
    const run = await small().run({ quiet: true, record });
    expect(() => store(record).open(run.hash).at(task(1))).toThrow("call study.run() with the same study");
  });
});
