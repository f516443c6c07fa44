/** Seeds side by side: one program for all, and each its own record. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  blobs,
  classes,
  engine,
  fromArrays,
  mlp,
  nearestMean,
  net,
  type Progress,
  type Run,
  random,
  replay,
  runMany,
  sgd,
  store,
  type TrainEvent,
  tf,
} from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { runFolders, small, temporary, timeless } from "../runs/support.ts";
import { sameButRounding } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);

const quiet = { quiet: true, record: false } as const;

/** Six classes of 8, 16, 24, … examples in the order of the run: experiences differ in length from seed to seed. */
function uneven() {
  const y = [0, 1, 2, 3, 4, 5].flatMap((label) => new Array<number>(8 * (label + 1)).fill(label));
  const rng = random(5);
  const x = y.map((label) => Array.from({ length: 4 }, (_, i) => rng.normal() + Number(i === label % 4) + label));
  return classes(fromArrays(x, y, { test: 0.25 }), { order: "run" }).split(3);
}

describe("seeds together", () => {
  test("come to what each comes to alone, with buffers, penalties, a growing head, noise and running statistics", async () => {
    const study = classes(blobs({ classes: 6, dimensions: 8, perClass: 40 }))
      .split(3)
      .scenario("class", { head: "growing" })
      .learn(net().dense(12).batchNorm().relu().dropout(0.2))
      .by(replay({ capacity: 20 }))
      .with(sgd({ lr: 0.05, momentum: 0.9 }))
      .train({ batch: 5 });
    const before = tf.memory().numTensors;
    const alone = await study.run({ ...quiet, seeds: 3 });
    const both = await study.run({ ...quiet, seeds: 3, together: true });
    expect(tf.memory().numTensors).toBe(before);
    for (const [i, { seed, events }] of both.logs.entries()) {
      expect(seed).toBe(i);
      sameButRounding(timeless(events), timeless(alone.logs[i]!.events));
    }
    expect(both.logs[0]!.events).not.toEqual(both.logs[1]!.events);
  });

  test("count the arithmetic of each as its own", async () => {
    const study = small();
    const [alone, both] = [
      await study.run({ ...quiet, seeds: 2 }),
      await study.run({ ...quiet, seeds: 2, together: true }),
    ];
    const counted = (run: Run) =>
      run
        .costs()
        .rows()
        .filter(({ metric }) => !String(metric).endsWith("econds"));
    expect(counted(both).map(({ metric }) => metric)).toContain("cost.flops");
    expect(counted(both)).toEqual(counted(alone));
  });

  test("wait for one another where their experiences differ in length", async () => {
    const study = uneven()
      .learn(mlp({ hidden: [6] }))
      .train({ batch: 4 });
    const alone = await study.run({ ...quiet, seeds: 3 });
    const steps = alone.logs.map(({ events }) =>
      events.flatMap((event) => (event.type === "boundary" ? [event.steps] : [])),
    );
    expect(new Set(steps.map(String)).size).toBe(3);
    const both = await study.run({ ...quiet, seeds: 3, together: true });
    for (const [i, { events }] of both.logs.entries())
      sameButRounding(timeless(events), timeless(alone.logs[i]!.events));
  });

  test("leave the records that separate runs leave, go on where they were stopped, and are not trained twice", async () => {
    const [alone, both] = [join(folder, "alone"), join(folder, "both")];
    const want = await small().run({ quiet: true, record: alone, seeds: 2 });
    const control = new AbortController();
    const seen = [0, 0];
    const progress: Progress = {
      begin() {},
      end() {},
      event(event, index) {
        seen[index!]!++;
        if (event.type === "step" && event.step > 60) control.abort();
      },
    };
    const stopped = await runMany(small().spec, {
      seeds: 2,
      together: true,
      record: both,
      progress,
      signal: control.signal,
    }).catch((error: Error) => error);
    expect((stopped as Error).message).toMatch(/stopped at step \d+ .*study.resume\(\) goes on from here/);
    expect(Math.min(...seen)).toBeGreaterThan(40);
    expect(
      store(both)
        .list()
        .rows()
        .map(({ state }) => state),
    ).toEqual(["stopped", "stopped"]);
    const got = await small().resume({ quiet: true, record: both, seeds: 2, together: true });
    for (const [i, { events }] of got.logs.entries()) sameButRounding(timeless(events), timeless(want.logs[i]!.events));
    const files = (store: string): string[] => runFolders(store).flatMap((run) => readdirSync(run).sort());
    expect(files(both)).toEqual(files(alone));
    expect(runFolders(both).map((run) => run.replace(both, ""))).toEqual(
      runFolders(alone).map((run) => run.replace(alone, "")),
    );
    const events: TrainEvent[] = [];
    const again = await small().run({ quiet: true, record: both, seeds: 2, keep: (event) => events.push(event) > 0 });
    expect(again.logs).toEqual(got.logs);
  });

  test("end together when one of them fails, and the error is that of the one", async () => {
    const study = small().with(sgd({ lr: 1e30 }));
    await expect(study.run({ ...quiet, seeds: 2, together: true })).rejects.toThrow(/a finite loss is required/);
  });

  test("are refused in a sentence where there is nothing to put together", async () => {
    const closed = classes(blobs({ classes: 2 }))
      .learn(net().dense(4))
      .by(nearestMean());
    await expect(closed.run({ ...quiet, together: true })).rejects.toThrow(
      'run: strategies that learn by gradient steps are required for seeds together, got "nearestMean", which learns in closed form; leave together out',
    );
    await expect(small().run({ ...quiet, together: true, workers: 2 })).rejects.toThrow(/got both; leave one out/);
    await engine.use("reference");
    try {
      await expect(small().run({ ...quiet, together: true })).rejects.toThrow(
        /a device that compiles programs is required.*got "reference"/,
      );
    } finally {
      await engine.use("cpu");
    }
  });
});
