import { needOneOf, needWhole } from "../data/options.ts";
import type { Figure } from "../plots/figure.ts";
import { machineTimeline } from "../plots/machine-timeline.ts";
import { clock } from "./clock.ts";

/** Training that saves itself. Times are seconds, sizes bytes, speeds bytes in a second. */
export interface CheckpointOptions {
  readonly iterations: number;
  /** Iterations between two checkpoints. Default 1. */
  readonly every?: number;
  /** What an iteration takes: the passes, in which weights and optimizer stand still, and the update, which changes them. */
  readonly forward: number;
  readonly backward: number;
  readonly update: number;
  /** Weights and optimizer state. */
  readonly bytes: number;
  /** From the device into memory, and from memory to disk. */
  readonly toMemory: number;
  readonly toDisk: number;
  /** How many checkpoints memory has room for. Default 1. */
  readonly room?: number;
  /** "blocking", "snapshot" or "lazy". Default "lazy". */
  readonly how?: "blocking" | "snapshot" | "lazy";
}

/** What saving cost. */
export interface Checkpointed {
  readonly seconds: number;
  /** Seconds in which training waited for a checkpoint. */
  readonly stalled: number;
  /** When each checkpoint was on disk. */
  readonly saved: readonly number[];
  timeline(): Figure;
}

/**
 * What checkpoints cost training: written at once, copied first, or copied while the next passes run.
 *
 * "blocking" waits until all is on disk. "snapshot" waits until all is in memory, and writes in the background. "lazy" copies while the next
 * forward and backward passes run, in which nothing that is saved changes, and only the next update waits for what is left. Memory that is
 * full of checkpoints that are not on disk yet is waited for by all of them.
 *
 * Maurya et al. 2024 (DataStates-LLM), arXiv:2406.10707, section 4.
 * Differs from the paper: one device; a checkpoint goes to disk as one stream when all of it is in memory.
 *
 * Implements: P246 DataStates-LLM async checkpoint
 *
 * @throws RangeError for numbers that are no counts, times or speeds.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const training = { iterations: 10, forward: 1, backward: 2, update: 0.5, bytes: 4e9, toMemory: 2e9, toDisk: 1e9, room: 4 };
 * (await simulate.checkpoints({ ...training, how: "blocking" })).stalled; // 60
 * (await simulate.checkpoints({ ...training, every: 2 })).stalled; // 2, the last copy
 * ```
 */
export async function checkpoints({
  iterations,
  every = 1,
  forward,
  backward,
  update,
  bytes,
  toMemory,
  toDisk,
  room = 1,
  how = "lazy",
}: CheckpointOptions): Promise<Checkpointed> {
  needWhole("checkpoints", "iterations", iterations);
  needWhole("checkpoints", "every", every);
  needWhole("checkpoints", "room", room);
  needOneOf("checkpoints", "how", how, ["blocking", "snapshot", "lazy"]);
  for (const [what, value] of Object.entries({ bytes, toMemory, toDisk }))
    if (!(value > 0)) throw new RangeError(`checkpoints: a number above 0 is required for ${what}, got ${value}`);
  const names = ["training", "copy", "disk"];
  const time = clock({ machines: names });
  const [copy, write] = [bytes / toMemory, bytes / toDisk];
  const saved: number[] = [];
  let stalled = 0;

  time.spawn(0, function* (me) {
    /** Waits for a message, and counts it. */
    function* stall(tag: string) {
      const began = me.now;
      yield* me.receive(tag);
      stalled += me.now - began;
    }
    let copying = false;
    for (let k = 1; k <= iterations; k++) {
      yield* me.work(forward, "forward");
      yield* me.work(backward, "backward");
      if (copying) yield* stall("copied");
      copying = false;
      yield* me.work(update, "update");
      if (k % every !== 0) continue;
      me.send(1, "copy", k, 0);
      if (how === "lazy") copying = true;
      else yield* stall(how === "blocking" ? "written" : "copied");
    }
    if (copying) yield* stall("copied");
  });
  time.spawn(
    1,
    function* (me) {
      for (let free = room; ; free--) {
        yield* me.receive("copy");
        while (me.take("freed") !== undefined) free++;
        for (; free === 0; free++) yield* me.receive("freed");
        yield* me.work(copy, "copy");
        me.send(0, "copied", null, 0);
        me.send(2, "write", null, 0);
      }
    },
    { server: true },
  );
  time.spawn(2, function* (me) {
    for (let k = 0; k < Math.floor(iterations / every); k++) {
      yield* me.receive("write");
      yield* me.work(write, "write");
      saved.push(me.now);
      me.send(1, "freed", null, 0);
      me.send(0, "written", null, 0);
    }
  });
  await time.run();
  return { seconds: time.now, stalled, saved, timeline: () => machineTimeline(time.spans, names) };
}
