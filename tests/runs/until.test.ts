import { experience, type Run, replay, sgd, store, task } from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { runFolders, small, temporary, timeless } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);
const events = (run: Run) => timeless(run.logs[0]!.events);
const happened = (run: Run) => events(run).filter(({ type }) => type !== "finished");
const study = small();

describe.each([
  ["with a record", `${folder}/until`],
  ["without a record", false],
] as const)("a run that ends before its stream does, %s", (_, record) => {
  test("is the beginning of the whole run", async () => {
    const whole = await study.run({ quiet: true, record });
    for (const until of [task(1), task(1).step(40), task(0).end()]) {
      const part = await study.run({ quiet: true, record, until });
      const done = happened(part);
      expect(done).toEqual(events(whole).slice(0, done.length));
      expect(events(part).at(-1)).toMatchObject({ type: "finished" });
    }
    expect(events(await study.run({ quiet: true, record, until: experience(2).end() }))).toEqual(events(whole));
  });

  test("includes the evaluation of an experience when it ends with that experience", async () => {
    const part = await study.run({ quiet: true, record, until: task(1).end() });
    expect(part.matrix().values).toHaveLength(2);
  });

  test("gives the whole run when it is forked on from where it ended", async () => {
    const whole = await study.run({ quiet: true, record });
    const part = await study.run({ quiet: true, record, until: task(1).step(40) });
    expect(events(await part.at(task(1).step(40)).fork())).toEqual(events(whole));
    const next = await part.at(task(1).step(40)).fork({}, { until: task(2) });
    expect(happened(next).at(-1)!.step).toBe(2 * 96);
    expect(events(await next.at(task(2)).fork())).toEqual(events(whole));
  });

  test("has the network of the place where it ends", async () => {
    const [part, whole] = [
      await study.run({ quiet: true, record, until: task(1) }),
      await study.run({ quiet: true, record }),
    ];
    const forked = await whole.at(task(0).step(3)).fork({}, { until: task(1) });
    const there = await whole.at(task(1)).state();
    expect((await part.at(task(1)).state()).state).toEqual(there.state);
    expect((await forked.at(task(1)).state()).state).toEqual(there.state);
    const [a, b] = [await part.network(), await forked.network()];
    expect(a.columns()).toEqual(b.columns());
    a.dispose();
    b.dispose();
  });

  test("must end after it begins, and where the stream comes to", async () => {
    const run = await study.run({ quiet: true, record });
    await expect(run.at(task(1).step(4)).fork({}, { until: task(1) })).rejects.toThrow(
      "fork: a place after step 4 of task 1",
    );
    await expect(study.run({ quiet: true, record, until: task(7) })).rejects.toThrow(
      "until: a place that the stream comes to",
    );
  });
});

test("a stopped run has a record of its own, which is not trained again and tells where it ends", async () => {
  const record = `${folder}/kept`;
  const first = await study.run({ quiet: true, record, until: task(1) });
  const second = await study.run({ quiet: true, record, until: task(1) });
  expect(second.logs).toEqual(first.logs); // the clock's seconds too: it was read
  const fork = { strategies: [replay({ capacity: 5 })] };
  const [one, two] = [task(1).step(10), task(1).step(20)];
  const forks = [];
  for (const until of [one, two, one]) forks.push(await first.at(task(1)).fork(fork, { until }));
  expect(forks[2]!.logs).toEqual(forks[0]!.logs);
  expect(runFolders(record)).toHaveLength(3);
  expect(
    store(record)
      .list()
      .rows()
      .map(({ until }) => until),
  ).toEqual(
    expect.arrayContaining(["0 steps into experience 1", "10 steps into experience 1", "20 steps into experience 1"]),
  );
});

test("a stopped run that was interrupted goes on to where it was to end", async () => {
  const record = `${folder}/resumed`;
  const stop = new AbortController();
  const { signal } = stop;
  setTimeout(() => stop.abort(), 5);
  const options = { quiet: true, record, until: task(2), checkpointSeconds: 0 };
  await study.run({ ...options, signal }).catch(() => undefined);
  const resumed = await study.resume(options);
  expect(events(resumed)).toEqual(events(await study.run({ ...options, record: false })));
});

test("members of a population go on from the best of them, and each is a run", async () => {
  const seedless = { quiet: true, record: false } as const;
  let population = await Promise.all(
    [0.001, 0.1].map((lr) =>
      small()
        .with(sgd({ lr, momentum: 0.9 }))
        .run({ ...seedless, until: task(1) }),
    ),
  );
  const score = (run: Run) => run.matrix().values.at(-1)![0]!;
  const best = [...population].sort((a, b) => score(b) - score(a))[0]!;
  expect(best).toBe(population[1]);
  population = await Promise.all(
    [0.05, 0.2].map((lr) => best.at(task(1)).fork({ optimizer: sgd({ lr, momentum: 0.9 }) }, { until: task(2) })),
  );
  for (const run of population) expect(run.matrix().values).toHaveLength(2);
  expect(events(population[0]!)).not.toEqual(events(population[1]!));
});
