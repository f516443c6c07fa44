import { blobs, classes, mlp, regression, type Strategy, type TrainEvent } from "thalweg";
import { expect, test } from "vitest";
import * as strategies from "../../lib/strategies/index.ts";

type Factory = () => Strategy;
const factories = Object.entries(strategies as unknown as Record<string, Factory & { strategy?: string }>).filter(
  ([, make]) => typeof make === "function" && make.strategy !== undefined,
);
const data = blobs({ classes: 4, dimensions: 4, perClass: 8, testPerClass: 4 });
const streams = {
  numbers: () => regression({ examples: 16, testExamples: 8, experiences: 2 }).scenario("task"),
  labels: () => classes(data).split(2).scenario("task").multiLabel(),
};
const refusal = /^[a-zA-Z0-9]+: .{20,}/;

/** A strategy on two short experiences: its events, or the sentence that refuses it before any training. */
async function outcome(
  make: Factory,
  stream: ReturnType<(typeof streams)["labels"]>,
): Promise<readonly TrainEvent[] | string> {
  try {
    const study = stream.learn(mlp({ hidden: [6] })).by(make() as Strategy<never>);
    const run = await study.train({ batch: 8 }).run({ quiet: true, record: false });
    return run.logs[0]!.events;
  } catch (error) {
    return (error as Error).message;
  }
}

test.each(Object.keys(streams) as (keyof typeof streams)[])(
  "every strategy learns a stream of %s, or refuses it in a sentence",
  async (kind) => {
    const learned: string[] = [];
    for (const [name, make] of factories) {
      const found = await outcome(make, streams[kind]() as never);
      if (typeof found === "string") {
        expect(`${name}: ${found}`).toMatch(refusal);
        expect([name, /undefined|null|out of bounds|internal|of one width/.exec(found)?.[0]]).toEqual([
          name,
          undefined,
        ]);
        continue;
      }
      learned.push(name);
      // what reads classes that are not there says of numbers what is far from all of them
      for (const event of found)
        if (event.type === "evaluated") expect([name, event.accuracy > -100]).toEqual([name, true]);
    }
    expect(learned).toEqual(expect.arrayContaining(["naive", "joint", "si", "mas", "hat", "packnet", "l2Init"]));
    for (const name of ["kalman", "gdumb", "nearestMean", "fecam", "icarl"])
      expect([name, learned.includes(name)]).toEqual([name, false]);
  },
);
