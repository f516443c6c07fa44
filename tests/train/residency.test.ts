/** What crosses to a device and back in a whole study: batches and what is asked for, never the weights. */
import { blobs, classes, engine, mlp, replay, sgd } from "thalweg";
import { afterAll, expect, test } from "vitest";
import { hasKoffi } from "../../lib/engine/capi/koffi.ts";

afterAll(async () => void (await engine.use("cpu")));

test.skipIf(!hasKoffi())(
  "weights stay on the device across experiences, a growing head, replay and evaluation",
  async () => {
    await engine.use("cpu-capi");
    const study = classes(blobs({ classes: 6, dimensions: 32, perClass: 100 }))
      .split(3)
      .learn(mlp({ hidden: [400, 400] }))
      .by(replay({ capacity: 50 }))
      .with(sgd({ lr: 0.05 }))
      .train({ batch: 10, epochs: 8 });
    const weights = 4 * (32 * 400 + 400 + 400 * 400 + 400);
    const learned: { readonly into: number; readonly out: number }[] = [];
    const judged: { readonly into: number; readonly out: number }[] = [];
    const held: number[] = [];
    let [before, steps] = [engine.traffic!, 0];
    for await (const event of study.fit()) {
      if (event.type === "step") {
        steps++;
        continue;
      }
      const now = engine.traffic!;
      const crossed = { into: now.in - before.in, out: now.out - before.out };
      if (event.type === "learned") learned.push({ into: crossed.into / steps, out: crossed.out / steps });
      if (event.type === "evaluated" && event.at === "experience") judged.push(crossed);
      if (event.type === "learned") held.push(now.held);
      [before, steps] = [now, 0];
    }
    // A step brings 10 new and 10 remembered examples of 32 numbers with their labels, its rate and its mask; what it gives back are losses and decisions.
    expect(learned).toHaveLength(3);
    expect(learned[2]).toEqual(learned[1]);
    expect(learned[2]!.into).toBeGreaterThan(20 * 32 * 4);
    expect(learned[2]!.into).toBeLessThan(20 * 33 * 4 + 40);
    expect(learned[2]!.out).toBeLessThan(100);
    // A test set goes in and decisions come out; the last evaluation is followed by probes, which read activations.
    for (const { into } of judged) expect(into).toBeLessThan(weights / 10);
    expect(judged.filter(({ out }) => out < 2000).length).toBeGreaterThan(3);
    expect(held[2]).toBe(held[1]);
  },
);
