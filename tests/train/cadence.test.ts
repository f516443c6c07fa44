import { blobs, cadence, classes, evaluation, fit, mlp, replay, study } from "thalweg";
import { describe, expect, test } from "vitest";

describe("evaluation within experiences", () => {
  test("is planned from counted work: within its share, at ends of programs, densest at the beginning", () => {
    const { at, examples } = cadence({ steps: 1600, batch: 32, tasks: 3, chunk: 16, share: 0.05 });
    expect(at.length).toBeGreaterThan(10);
    expect(at.every((step) => step % 16 === 0 && step < 1600)).toBe(true);
    const work = at.length * 3 * examples;
    expect(work).toBeLessThan(0.05 * 3 * 1600 * (32 + 10)); // forward passes of examples; training has three times as many
    const half = at.filter((step) => step < 800).length;
    expect(half).toBeGreaterThan(0.6 * at.length);
    expect(cadence({ steps: 1600, batch: 32, tasks: 3, chunk: 16, share: 0 }).at).toEqual([]);
    expect(cadence({ steps: 10, batch: 10, tasks: 3, chunk: 1, share: 0.05 }).at).toEqual([]);
  });

  test("is there without asking, covers the tasks met, and changes no number of the training", async () => {
    const base = study(classes(blobs({ classes: 4, perClass: 400 })).split(2), mlp({ hidden: [8] }))
      .by(replay({ capacity: 20 }))
      .train({ batch: 8, epochs: 3 });
    const log = async (share: number) => {
      const events = [];
      for await (const event of fit({ ...base.spec, evaluation: evaluation({ share }) })) events.push(event);
      return events;
    };
    const [looked, blind] = [await log(0.05), await log(0)];
    const looks = looked.flatMap((event) => (event.type === "evaluated" && event.at === "step" ? [event] : []));
    expect(looks.length).toBeGreaterThan(4);
    expect(looks.every((event) => event.on <= event.after)).toBe(true);
    expect(blind.some((event) => event.type === "evaluated" && event.at === "step")).toBe(false);
    const steps = (events: typeof looked) => events.filter((event) => event.type === "step");
    expect(steps(looked)).toEqual(steps(blind));
  });
});
