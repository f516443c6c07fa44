import { watchDevice } from "thalweg";
import { afterEach, describe, expect, test } from "vitest";

const symbol = Symbol.for("Jupyter.display");
const host = globalThis as { [key: symbol]: unknown };
afterEach(() => {
  delete host[symbol];
});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("watchDevice", () => {
  test("looks again and again, draws it anew in one place of a notebook, and stops", async () => {
    const drawn: { displayId: string; update: boolean }[] = [];
    host[symbol] = (_: unknown, options: { displayId: string; update: boolean }) => void drawn.push(options);
    let looks = 0;
    const look = async () => ({ name: "a card", busy: ++looks / 10, usedBytes: 2 ** 30, memoryBytes: 8 * 2 ** 30 });
    const watch = watchDevice({ seconds: 0.01, look });
    while (looks < 4) await pause(5);
    const picture = await watch.stop();
    expect(watch.samples.map(({ busy }) => busy)).toEqual(Array.from({ length: looks }, (_, i) => (i + 1) / 10));
    expect(watch.samples.every(({ seconds }, i) => i === 0 || seconds >= watch.samples[i - 1]!.seconds)).toBe(true);
    expect(drawn.map(({ update }) => update)).toEqual(watch.samples.map((_, i) => i > 0));
    expect(new Set(drawn.map(({ displayId }) => displayId)).size).toBe(1);
    expect(picture.layout.title?.subtitle?.text).toBe(`1.0 of 8.0 GiB in use, computing ${10 * looks} % of the time`);
    const before = looks;
    await pause(40);
    expect(looks).toBe(before);
  });

  test("without a card tells this process, and a look that fails is left out", async () => {
    const watch = watchDevice({ seconds: 0.02 });
    await pause(30);
    await watch.stop();
    const [sample] = watch.samples;
    expect(sample!.name).toMatch(/^cpu \(\d+ × .*\), this process$/);
    expect(sample!.usedBytes).toBeGreaterThan(1e7);
    expect(sample!.memoryBytes).toBeGreaterThan(sample!.usedBytes);
    let looks = 0;
    const failing = watchDevice({
      seconds: 0.01,
      look: async () => {
        if (++looks === 1) throw new Error("nvidia-smi is busy");
        return { name: "a card", busy: null, usedBytes: 1, memoryBytes: 2 };
      },
    });
    while (looks < 2) await pause(5);
    const picture = await failing.stop();
    expect(failing.samples).toHaveLength(looks - 1);
    expect(picture.data.map(({ name }) => name)).toEqual(["memory in use"]); // how busy is not known
    expect(() => watchDevice({ seconds: 0 })).toThrow(/seconds above 0 are required, got 0/);
  });
});
