import { afterAll, describe, expect, test } from "vitest";
import { flopsDone, tf } from "../../lib/engine/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { replay } from "../../lib/strategies/replay/replay.ts";
import { limit } from "../../lib/streams/operators/limit.ts";
import { runMany } from "../../lib/sweeps/many.ts";
import { lints } from "../../lib/train/lints.ts";
import { open } from "../../lib/train/session.ts";
import { evaluation, training } from "../../lib/train/spec.ts";
import { timeless } from "../runs/support.ts";
import { sameButRounding } from "../sweeps/support.ts";
import { advance, found, load, many, run, small, spec, stream } from "./support.ts";

/** What a method's documentation says grows with the number of tasks. */
const claims = (text: string): { readonly memory: boolean; readonly work: boolean } => {
  const plain = text.replace(/\n \*/g, "");
  return {
    memory: /[Mm]emory[^.:;]*(?<!not )\bgrows?\b/.test(plain),
    work: /[Ww]ork[^.:;]*(?<!not )\bgrows?\b/.test(plain),
  };
};

test("every strategy is found", () => {
  expect(found.length).toBeGreaterThan(40);
});

describe.each(found)("$name", (entry) => {
  /** The run of the small stream at seed 0, made once for all that look at it. */
  let kept: ReturnType<typeof run> | undefined;
  const whole = (make: Awaited<ReturnType<typeof load>>) => (kept ??= run(spec(stream(make), [small(make)])));
  afterAll(() => void (kept = undefined));

  test("is named after its file", async () => {
    const make = await load(entry);
    expect(make?.strategy).toBe(entry.name);
    expect(small(make).spec.name).toBe(entry.name);
  });

  test("gives the same run for the same seed, another for another, and leaves no tensors behind", async () => {
    const make = await load(entry);
    const once = whole(make);
    const before = tf.memory().numTensors;
    expect(run(spec(stream(make), [small(make)]))).toEqual(once);
    expect(run(spec(stream(make), [small(make)]), 1).weights).not.toEqual(once.weights);
    expect(tf.memory().numTensors).toBe(before);
    expect(once.events.filter((event) => event.type === "evaluated").length).toBeGreaterThan(0);
  });

  test("goes on from a state saved in the middle of an experience as if it had not stopped", async () => {
    const make = await load(entry);
    const given = spec(stream(make), [small(make)]);
    const { events, weights } = whole(make);
    const steps = events.filter((event) => event.type === "step").length;
    // Of 36: mostly in the second epoch of the first experience of three, and of the second, when there is something to keep.
    for (const at of [7, 19]) {
      const first = open(given, 0, "test");
      const before = advance(first, at);
      const { phase } = first.cursor;
      const saved = first.save();
      first.dispose();
      const rest = run(given, 0, saved);
      if (steps > at) expect(phase).toBe("train");
      const all = [...before, ...rest.events].map((event) => ("seconds" in event ? { ...event, seconds: 0 } : event));
      expect(all).toEqual(events);
      expect(rest.weights).toEqual(weights);
    }
  });

  test("learns from experiences of one example", async () => {
    const make = await load(entry);
    const tiny = limit(1)(stream(make) as never) as never;
    expect(run(spec(tiny, [small(make)])).weights.every(Number.isFinite)).toBe(true);
  });

  test("comes to the same for seeds side by side as for each alone, or says why not", async () => {
    const make = await load(entry);
    const given = spec(stream(make, 6), [small(make)]);
    const before = tf.memory().numTensors;
    const both = runMany(given, { seeds: 2, together: true, record: false });
    if (given.strategies.some(({ hooks }) => hooks.learn !== undefined))
      return await expect(both).rejects.toThrow(/which learns in closed form/);
    for (const { seed, events } of (await both).logs) sameButRounding(timeless(events), run(given, seed).events);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("composes with replay, or says why not", async () => {
    const make = await load(entry);
    if (entry.name === "replay") return;
    const both = spec(stream(make), [small(make), replay({ capacity: 6, draw: 3 })]);
    try {
      expect(run(both).weights.every(Number.isFinite)).toBe(true);
    } catch (error) {
      expect((error as Error).message).toMatch(/cannot be combined/);
    }
  });

  test("says at every step how large its term and its projection are, and neither is idle", async () => {
    const make = await load(entry);
    const made = small(make);
    const { hooks, spec: own } = made;
    const idle = ({ events }: ReturnType<typeof run>): boolean => {
      for (const event of events) {
        if (event.type !== "step") continue;
        expect(own.name in event.terms).toBe(hooks.loss !== undefined);
        expect(own.name in (event.projected ?? {})).toBe(hooks.role === "projection");
      }
      return lints(events).some((text) => /exactly zero|no gradient/.test(text));
    };
    // New classes in every experience; where a method keeps to the past of a class, the same classes in all.
    expect(idle(whole(make)) && idle(run(spec(many(make, 3), [made])))).toBe(false);
  });

  test("works no more and holds no more after many tasks than after a few, unless it says so", async () => {
    const make = await load(entry);
    const grows = claims(entry.text);
    const quiet = {
      evaluation: evaluation({ atStart: false, every: "end", share: 0 }),
      optimizer: sgd({ lr: 1e-3 }), // so slow that penalties summed over 50 tasks stay stable
      training: training({ batch: 4, epochs: 1 }),
    };
    const opened = (tasks: number) => open(spec(many(make, tasks), [small(make, { capacity: 100 })], quiet), 0, "test");
    const tasks = grows.memory || grows.work ? 8 : 50;
    const session = opened(tasks);
    const reach = (experience: number): void => {
      while (session.cursor.experience < experience && session.advance()) session.queue.length = 0;
    };
    const measured = (experience: number): { work: number; held: number } => {
      reach(experience);
      const before = flopsDone();
      reach(experience + 1);
      return { work: flopsDone() - before, held: session.save().length };
    };
    const early = measured(tasks === 50 ? 13 : 1); // when memories of 100 examples are full
    const late = measured(tasks - 2);
    session.dispose();
    if (grows.memory) {
      // A method may make room for all tasks at the start.
      const few = opened(2);
      advance(few);
      expect(late.held).toBeGreaterThan(few.save().length * 1.05);
      few.dispose();
    } else expect(late.held).toBeLessThan(early.held * 1.1 + 3000);
    if (grows.work) expect(late.work).toBeGreaterThan(early.work * 1.2);
    else expect(late.work).toBeLessThanOrEqual(early.work * 1.05);
  });
});
