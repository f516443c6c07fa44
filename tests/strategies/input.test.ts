import { describe, expect, test } from "vitest";
import { emptyBuffer } from "../../lib/strategies/parts/buffer.ts";
import { type Episodes, withEpisode } from "../../lib/strategies/parts/episodes.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { open } from "../../lib/train/session.ts";
import { contextOf, examplesOf, small as network, normal } from "./by-hand.ts";
import { found, load, many, small, spec, stream } from "./support.ts";

type Options = Record<string, unknown>;
const made = await Promise.all(
  found.map(async (entry) => {
    const make = await load(entry);
    return { name: entry.name, make, options: make.defaults as unknown as Options };
  }),
);
const build = (make: unknown, options: Options): Strategy => (make as (options: Options) => Strategy)(options);
const numbersOf = (options: Options): [string, number][] =>
  Object.entries(options).filter((entry): entry is [string, number] => typeof entry[1] === "number");

/** Options that are right below 0, with the reason. */
const belowZero: Record<string, string> = {
  "cuber.positive": "the least cosine",
  "activeDistil.mistakes": "−1 takes it from the teacher's error",
};

/** Words that say a place in a network, which is looked up where there is one. */
const paths: Record<string, string> = {
  "coachHook.layer": "a layer's path",
  "grace.layer": "a layer's path",
  "skillUnlearning.layer": "a layer's path",
  "wise.layer": "a layer's path",
};

describe.each(made.filter(({ options }) => numbersOf(options).length > 0))("$name", ({ name, make, options }) => {
  test.each(numbersOf(options).map(([option]) => option))(
    "refuses a %s that makes no sense, and says which",
    (option) => {
      const refused = new RegExp(`${name}: .*${option}.*(got|is)`);
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, "1"])
        expect(() => build(make, { [option]: value }), String(value)).toThrow(refused);
      if (`${name}.${option}` in belowZero) expect(() => build(make, { [option]: -1.5 })).toThrow(refused);
      else expect(() => build(make, { [option]: -1 })).toThrow(refused);
    },
  );

  test.each(
    ["capacity", "samples", "units", "candidates", "compared", "projected", "latent", "perClass"].filter(
      (option) => option in options && options[option] !== 0,
    ),
  )("refuses a %s of 0", (option) => {
    expect(() => build(make, { [option]: 0 })).toThrow(new RegExp(`${name}: ${option} must be`));
  });
});

describe.each(made.filter(({ options }) => Object.values(options).some((v) => typeof v === "string")))(
  "$name",
  ({ name, make, options }) => {
    test("refuses words that it does not know", () => {
      for (const [option, value] of Object.entries(options))
        if (typeof value === "string" && !(`${name}.${option}` in paths))
          expect(() => build(make, { [option]: "nonsense" })).toThrow(new RegExp(`${name}: .*${option}.*"nonsense"`));
    });
  },
);

test.each(made)("$name has no option that it does not check for being known", ({ name, make }) => {
  expect(() => build(make, { nonsense: 1 })).toThrow(new RegExp(`${name}: no option nonsense`));
});

describe("what does not fit together is an error before any training", () => {
  const begins = (over: Stream, strategy: Strategy): Error | null => {
    const session = open(spec(over, [strategy]), 0, "test");
    try {
      while (session.cursor.phase !== "train" && session.advance());
      return null;
    } catch (error) {
      expect(session.cursor.step).toBe(0);
      return error as Error;
    } finally {
      session.dispose();
    }
  };

  test.each(made.filter(({ options }) => "capacity" in options))(
    "$name with a memory of fewer places than experiences goes on with some of each, or says why not",
    ({ name, make }) => {
      const error = begins(many(make, 12), small(make, { capacity: 6 }));
      if (error !== null)
        expect(error.message).toMatch(
          new RegExp(`^${name}: capacity must be at least 1 for each of .* 12 experiences, got 6`),
        );
    },
  );

  test.each(made)("$name on a head that grows learns every class, or says why not", async ({ name, make }) => {
    if ((make.needs as readonly string[]).includes("task")) return;
    if (small(make).hooks.tokensAlone === true) return; // a head of tokens does not grow
    const growing = scenario("class", { head: "growing" })(stream(make) as never) as never as Stream;
    const session = open(spec(growing, [small(make)]), 0, "test");
    try {
      while (session.advance()) session.queue.length = 0;
      expect((session.learner.weights.head.bias as { size: number }).size).toBe(6);
    } catch (error) {
      expect((error as Error).message).toMatch(new RegExp(`^${name}: .* is required, got one .*grows`));
      expect(session.cursor.step).toBe(0);
    } finally {
      session.dispose();
    }
  });
});

describe("a head of fixed size", () => {
  const single = stream({ needs: [] } as never, 4);
  const begin = (over: Stream): void => {
    const session = open(spec(over, []), 0, "test");
    try {
      while (session.advance()) session.queue.length = 0;
    } finally {
      session.dispose();
    }
  };

  test("is refused before any training when it has too few columns", () => {
    const few: Stream = { ...single, classes: single.classes.slice(0, 4), seeded: () => few };
    expect(() => begin(few)).toThrow(
      "learn: names for all classes are required for a head of fixed size, got 4 names and class 5 in task 2",
    );
  });

  test("refuses an experience whose classes or labels it has no column for, before learning it", () => {
    const endless: Stream = {
      ...single,
      tasks: Number.POSITIVE_INFINITY,
      classes: single.classes.slice(0, 4),
      seeded: () => endless,
    };
    expect(() => begin(endless)).toThrow(
      "learn: a class for each of the head's 4 columns is required, got class 5 in experience 2",
    );
    const outside: Stream = {
      ...single,
      experience(i) {
        const own = single.experience(i);
        return { ...own, train: { ...own.train, labels: own.train.labels.map((label) => label + 4) } };
      },
      seeded: () => outside,
    };
    expect(() => begin(outside)).toThrow(
      "learn: labels below 6, the number of output columns, are required, got 7 in experience 1",
    );
  });
});

test("a memory with more experiences than places keeps one example of each of the newest, where the length is not told", () => {
  const { net, weights } = network([2], 2, 3);
  const context = (experience: number) => contextOf(net, weights, { experience });
  let episodes: Episodes | null = null;
  for (let e = 0; e < 5; e++) {
    const train = examplesOf(normal(4, 2, e), [e, e, e, e]);
    ({ episodes } = withEpisode(episodes ?? { buffer: emptyBuffer(3, train), starts: [0] }, 3, train, e, context(e)));
  }
  expect([...episodes!.buffer.tasks]).toEqual([2, 3, 4]);
  expect(episodes!.starts).toEqual([0, 0, 0, 1, 2, 3]);
});
