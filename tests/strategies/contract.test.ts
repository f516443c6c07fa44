import { describe, expect, test } from "vitest";
import { tf } from "../../lib/engine/index.ts";
import { replay } from "../../lib/strategies/replay.ts";
import { limit } from "../../lib/streams/operators/limit.ts";
import { open } from "../../lib/train/session.ts";
import { advance, found, load, many, run, small, spec, stream } from "./support.ts";

const growing = /(Memory|memory|Work|work)[^.]*\bgrows?\b|\bgrows? with the number/;

test("every strategy is found", () => {
  expect(found.length).toBeGreaterThan(40);
});

describe.each(found)("$name", (entry) => {
  test("is named after its file", async () => {
    const make = await load(entry);
    expect(make?.strategy).toBe(entry.name);
    expect(small(make).spec.name).toBe(entry.name);
  });

  test("gives the same run for the same seed, another for another, and leaves no tensors behind", async () => {
    const make = await load(entry);
    const once = run(spec(stream(make), [small(make)]));
    const before = tf.memory().numTensors;
    expect(run(spec(stream(make), [small(make)]))).toEqual(once);
    expect(run(spec(stream(make), [small(make)]), 1).weights).not.toEqual(once.weights);
    expect(tf.memory().numTensors).toBe(before);
    expect(once.events.filter((event) => event.type === "evaluated").length).toBeGreaterThan(0);
  });

  test("goes on from a state saved in the middle of an experience as if it had not stopped", async () => {
    const make = await load(entry);
    const given = spec(stream(make, 40), [small(make)]);
    const whole = run(given);
    const first = open(given, 0, "test");
    const before = advance(first, 25);
    const { phase } = first.cursor;
    const saved = first.save();
    first.dispose();
    const rest = run(given, 0, saved);
    const steps = whole.events.filter((event) => event.type === "step").length;
    if (steps > 25) expect(phase).toBe("train");
    const all = [...before, ...rest.events].map((event) => ("seconds" in event ? { ...event, seconds: 0 } : event));
    expect(all).toEqual(whole.events);
    expect(rest.weights).toEqual(whole.weights);
  });

  test("learns from experiences of one example", async () => {
    const make = await load(entry);
    const tiny = limit(1)(stream(make) as never) as never;
    expect(run(spec(tiny, [small(make)])).weights.every(Number.isFinite)).toBe(true);
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

  test("holds no more after many tasks than after a few, unless it says so", async () => {
    const make = await load(entry);
    const held = (tasks: number): number => {
      const session = open(spec(many(make, tasks), [small(make)]), 0, "test");
      advance(session);
      const size = session.save().length;
      session.dispose();
      return size;
    };
    if ((make.needs as readonly string[]).includes("task") || growing.test(entry.text.replace(/\n \*/g, ""))) return;
    const few = held(8);
    expect(held(50)).toBeLessThan(few * 1.1 + 2000);
  });
});
