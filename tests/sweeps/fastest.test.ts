/** A study runs where its training step takes least time, where its record began, or where somebody has said; and it survives its device. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { engine } from "thalweg";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type BoundDevice, bound } from "../../lib/engine/capi/device.ts";
import { hasKoffi } from "../../lib/engine/capi/koffi.ts";
import { readSpec } from "../../lib/runs/record.ts";
import { onFastest, recordedOn, stepTime } from "../../lib/sweeps/parts/fastest.ts";
import { small, temporary, timeless } from "../runs/support.ts";

const places: ReturnType<typeof temporary>[] = [];
const folder = (): string => {
  places.push(temporary());
  return places.at(-1)!.folder;
};
afterAll(() => {
  for (const place of places) place.clear();
});
afterEach(async () => void (await engine.use("cpu")));

const both = ["cpu", "cpu-capi"];
/** Measured milliseconds, by device, with a list of what was measured. */
function stopwatch(times: Readonly<Record<string, number | null>>) {
  const measured: string[] = [];
  const said: string[] = [];
  const measure = () => {
    measured.push(engine.device);
    const ms = times[engine.device];
    if (ms === undefined) throw new Error("it broke\nat once");
    return ms;
  };
  return { measured, said, measure, say: (line: string) => void said.push(line) };
}
let variants = 0;
/** A study that was never measured before. */
const fresh = () => small().train({ batch: 5, epochs: ++variants + 4 }).spec;

describe.skipIf(!hasKoffi())("where nobody has said", () => {
  test("a step is measured on each device once, and the study runs on the faster one, which is left again", async () => {
    const spec = fresh();
    const watch = stopwatch({ cpu: 2, "cpu-capi": 0.5 });
    expect(await onFastest(spec, { devices: both, ...watch }, async () => engine.device)).toBe("cpu-capi");
    expect(engine.device).toBe("cpu");
    expect(watch.said).toEqual([
      "thalweg: one training step takes 2.0 ms on cpu, 0.50 ms on cpu-capi; this study runs on cpu-capi (engine.use and THALWEG_DEVICE choose otherwise)",
    ]);
    await onFastest(spec, { devices: both, ...watch }, async () => {});
    expect(watch.measured).toEqual(both);
    const slow = stopwatch({ cpu: 2, "cpu-capi": 3 });
    expect(await onFastest(fresh(), { devices: both, ...slow }, async () => engine.device)).toBe("cpu");
  });

  test("a device on which a step fails is left out, and a study without steps stays on the processor", async () => {
    const failing = stopwatch({ cpu: 2 });
    expect(await onFastest(fresh(), { devices: both, ...failing }, async () => engine.device)).toBe("cpu");
    expect(failing.said[0]).toBe("thalweg: cpu-capi is left out, since a step failed there (it broke)");
    const none = stopwatch({ cpu: null });
    expect(await onFastest(fresh(), { devices: both, ...none }, async () => engine.device)).toBe("cpu");
    expect([none.measured, none.said]).toEqual([["cpu"], []]);
  });

  test("a study goes on where its record began, whatever would be faster", async () => {
    const store = folder();
    const study = small().train({ batch: 5, epochs: 2 });
    await engine.use("cpu-capi");
    const first = await study.run({ record: store, quiet: true });
    await engine.use("cpu");
    expect(recordedOn(study.spec, store, both)).toBe("cpu-capi");
    expect(recordedOn(study.spec, store, ["cpu"])).toBeUndefined();
    const watch = stopwatch({ cpu: 1, "cpu-capi": 9 });
    expect(await onFastest(study.spec, { devices: both, store, ...watch }, async () => engine.device)).toBe("cpu-capi");
    expect(watch.measured).toEqual([]);
    const again = await study.resume({ record: store, devices: both, quiet: true });
    expect(again.logs).toEqual(first.logs); // read, not trained: the seconds are the same
    await expect(study.resume({ record: store, devices: ["cpu"], quiet: true })).rejects.toThrow(
      /a recorded run of this study is required/,
    );
  });

  test("a run measures for itself, and its record says where it ran", async () => {
    const store = folder();
    const study = small().train({ batch: 5, epochs: 3 });
    const want = timeless((await study.run({ record: false, quiet: true })).logs[0]!.events);
    const run = await study.run({ record: store, devices: both, quiet: true });
    const { device } = readSpec(join(store, readdirSync(store).find((name) => name.includes("-seed0-"))!))!;
    expect(device).toMatch(/^cpu(-capi)?-linux/);
    const [started, ...rest] = timeless(run.logs[0]!.events);
    expect(device.startsWith(`${(started as { device: string }).device}-`)).toBe(true);
    expect(rest).toEqual(want.slice(1)); // the same numbers, to the last bit
    expect(stepTime(study.spec)).toBeGreaterThan(0);
  });
});

describe.skipIf(!hasKoffi())("a device that is lost in the middle of a run", () => {
  /** Lets the device fail at its n-th program run from here. */
  function breakAt(count: number): void {
    const device = bound.device!;
    let runs = 0;
    const api: BoundDevice["api"] = {
      ...device.api,
      call(name, ...args) {
        if (name === "Run" && ++runs === count) throw new Error("CUDA failure 999: unknown error");
        device.api.call(name, ...args);
      },
    };
    bound.device = { ...device, api };
  }

  test.each([true, false])(
    "the run goes on on the processor and ends as if nothing had been (recorded: %s)",
    async (isRecorded) => {
      const study = small().train({ batch: 5, epochs: 6 });
      await engine.use("cpu");
      const want = timeless((await study.run({ record: false, quiet: true })).logs[0]!.events).slice(1);
      await engine.use("cpu-capi");
      breakAt(30);
      const store = folder();
      const errors: string[] = [];
      const { error } = console;
      console.error = (line: string) => void errors.push(line);
      try {
        const run = await study.run({ record: isRecorded && store, quiet: true, checkpointSeconds: 0 });
        expect(timeless(run.logs[0]!.events).slice(1)).toEqual(want);
        expect(engine.device).toBe("cpu");
        expect(errors).toEqual([
          expect.stringMatching(
            isRecorded
              ? /^thalweg: .*the GPU does not answer any more \(CUDA failure 999.*the processor from here on; the run goes on from its last checkpoint$/
              : /the run goes on from its start, as it is not recorded$/,
          ),
        ]);
      } finally {
        console.error = error;
      }
      if (isRecorded) {
        await engine.use("cpu-capi"); // the record is the run's, wherever it ended
        const read = await study.resume({ record: store, quiet: true });
        expect(timeless(read.logs[0]!.events).slice(1)).toEqual(want);
      }
    },
  );
});
