import { simulate } from "thalweg";
import { describe, expect, test } from "vitest";
import { eventQueue } from "../../lib/simulate/parts/event-queue.ts";
import { ringSum } from "../../lib/simulate/parts/ring.ts";

const link = { latency: 1, bandwidth: 10 };

describe("the simulated clock", () => {
  test("the queue gives events by time, and equal ones in the order of asking", () => {
    const queue = eventQueue();
    const times = [5, 1, 3, 1, 4, 1, 5, 9, 2, 6, 0];
    const seen: string[] = [];
    for (const [i, time] of times.entries()) queue.at(time, () => seen.push(`${time}.${i}`));
    for (let event = queue.next(); event !== undefined; event = queue.next()) event.happens();
    expect(seen).toEqual(
      times
        .map((time, i) => [time, i] as const)
        .sort((a, b) => a[0] - b[0] || a[1] - b[1])
        .map(([time, i]) => `${time}.${i}`),
    );
  });

  test("a transfer takes latency and bytes over bandwidth, and a machine sends and receives one at a time", async () => {
    const clock = simulate.clock({ machines: ["a", "b", "c"], link });
    const came: [number, number][] = [];
    clock.spawn(0, function* (me) {
      me.send(2, "x", null, 20); // 0 to 2 on the line, there at 3
      me.send(2, "x", null, 10); // 2 to 3, there at 4
      yield* me.work(0, "nothing");
    });
    clock.spawn(1, function* (me) {
      me.send(2, "x", null, 10); // c's receiving end is taken until 3: 3 to 4, there at 5
      yield* me.work(0, "nothing");
    });
    clock.spawn(2, function* (me) {
      for (let k = 0; k < 3; k++) {
        const { from, arrived } = yield* me.receive("x");
        came.push([from, arrived]);
      }
    });
    await clock.run();
    expect(came).toEqual([
      [0, 3],
      [0, 4],
      [1, 5],
    ]);
    const [a, , c] = clock.totals();
    expect([a!.send, a!.bytesSent, a!.messages, c!.wait, c!.bytesReceived]).toEqual([3, 30, 2, 5, 40]);
    expect(clock.bytesByTag()).toEqual({ x: 40 });
  });

  test("work stands still while its machine is away, and messages wait for machine and line", async () => {
    const clock = simulate.clock({
      machines: ["a", "b"],
      link,
      outages: [{ machine: 1, from: 2, to: 10 }],
      cuts: [{ between: [0, 1], from: 12, to: 20 }],
    });
    const at: number[] = [];
    clock.spawn(0, function* (me) {
      yield* me.work(3, "think");
      me.send(1, "early", null, 0); // there at 4, taken at 10
      yield* me.sleep(10);
      me.send(1, "late", null, 10); // at 13 the line is cut: 20 to 21, there at 22
    });
    clock.spawn(1, function* (me) {
      yield* me.work(5, "long"); // 2 seconds, then 8 away, then 3
      at.push(me.now);
      at.push((yield* me.receive("early")).arrived, (yield* me.receive("late")).arrived);
    });
    await clock.run();
    expect(at).toEqual([13, 10, 22]);
  });

  test("a ring's sum takes 2(W − 1) rounds of latency and of a W-th of the bytes, and every worker has the sum", async () => {
    const workers = 4;
    const clock = simulate.clock({ machines: ["a", "b", "c", "d"], link });
    const sums: Float32Array[] = [];
    for (let w = 0; w < workers; w++)
      clock.spawn(w, function* (me) {
        sums[w] = yield* ringSum(
          me,
          workers,
          Float32Array.from({ length: 10 }, (_, i) => 10 * w + i),
          "sum",
        );
      });
    await clock.run();
    for (const sum of sums) expect([...sum]).toEqual(Array.from({ length: 10 }, (_, i) => 60 + 4 * i));
    // pieces have 2 or 3 numbers of 4 bytes: a round takes at most 1 + 12/10 seconds, at least 1 + 8/10
    expect(clock.now).toBeGreaterThanOrEqual(6 * 1.8);
    expect(clock.now).toBeLessThanOrEqual(6 * 2.2);
    expect(clock.totals().reduce((sum, each) => sum + each.bytesSent, 0)).toBe(2 * 3 * 10 * 4);
  });

  test("who waits for what nobody sends is named; a run can be stopped; a time that is none is refused", async () => {
    const waits = simulate.clock({ machines: ["a"] });
    waits.spawn(0, function* (me) {
      yield* me.receive("godot");
    });
    await expect(waits.run()).rejects.toThrow('a waits for "godot"');
    const endless = simulate.clock({ machines: ["a"] });
    endless.spawn(0, function* (me) {
      for (;;) yield* me.work(1, "on");
    });
    await expect(endless.run({ signal: AbortSignal.timeout(40) })).rejects.toThrow("stopped after");
    const backwards = simulate.clock({ machines: ["a"] });
    backwards.spawn(0, function* (me) {
      yield* me.work(-1, "undo");
    });
    await expect(backwards.run()).rejects.toThrow("a finite number from 0 on");
  });
});
