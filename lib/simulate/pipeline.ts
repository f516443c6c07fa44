import { needOneOf, needWhole } from "../data/options.ts";
import type { Figure } from "../plots/figure.ts";
import { machineTimeline } from "../plots/machine-timeline.ts";
import { clock, type Link } from "./clock.ts";

/** What a pipeline is. */
export interface PipelineOptions {
  readonly stages: number;
  /** Parts of a batch that go through one after the other. */
  readonly microBatches: number;
  /** "gpipe": all forward, then all backward; "1f1b": one forward, one backward, as soon as the pipe is full. Default "1f1b". */
  readonly schedule?: "gpipe" | "1f1b";
  /** Seconds of a micro-batch in one stage. Defaults 1 and 2. */
  readonly forward?: number;
  readonly backward?: number;
  /** Bytes between two stages. Default 0. */
  readonly bytes?: number;
  readonly link?: Link;
}

/** What a pipeline came to. */
export interface Pipelined {
  readonly seconds: number;
  /** The share of the stages' time in which they do nothing. */
  readonly bubble: number;
  /** The most micro-batches whose activations a stage holds at once, by stage. */
  readonly held: readonly number[];
  timeline(): Figure;
}

/**
 * A batch through a pipeline of stages: how long it takes, how much of the time is idle, and what each stage must remember.
 *
 * Where nothing takes time between stages the idle share is `(p − 1)/(m + p − 1)` in either schedule; a stage of "gpipe" holds all `m`
 * micro-batches, stage `s` of "1f1b" at most `p − s`.
 *
 * Huang et al. 2019 (GPipe), arXiv:1811.06965, section 2; Narayanan et al. 2021 (1F1B), arXiv:2104.04473, section 2.2.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * (await simulate.pipeline({ stages: 4, microBatches: 8 })).bubble.toFixed(3); // "0.273"
 * ```
 */
export async function pipeline({
  stages,
  microBatches,
  schedule = "1f1b",
  forward = 1,
  backward = 2,
  bytes = 0,
  link = { latency: 0, bandwidth: Number.POSITIVE_INFINITY },
}: PipelineOptions): Promise<Pipelined> {
  needWhole("pipeline", "stages", stages);
  needWhole("pipeline", "microBatches", microBatches);
  needOneOf("pipeline", "schedule", schedule, ["gpipe", "1f1b"]);
  const names = Array.from({ length: stages }, (_, s) => `stage ${s}`);
  const time = clock({ machines: names, link });
  const held = names.map(() => 0);
  for (let stage = 0; stage < stages; stage++)
    time.spawn(stage, function* (me) {
      let now = 0;
      for (const [what, k] of orderOf(schedule, stages, stage, microBatches)) {
        if (what === "forward") {
          if (stage > 0) yield* me.receive(`forward#${k}`);
          held[stage] = Math.max(held[stage]!, ++now);
          yield* me.work(forward, what);
          if (stage < stages - 1) me.send(stage + 1, `forward#${k}`, null, bytes);
        } else {
          if (stage < stages - 1) yield* me.receive(`backward#${k}`);
          yield* me.work(backward, what);
          now--;
          if (stage > 0) me.send(stage - 1, `backward#${k}`, null, bytes);
        }
      }
    });
  await time.run();
  const seconds = time.now;
  return {
    seconds,
    bubble: 1 - (microBatches * (forward + backward)) / seconds,
    held,
    timeline: () => machineTimeline(time.spans, names),
  };
}

/** What a stage does, in order. */
function* orderOf(
  schedule: "gpipe" | "1f1b",
  stages: number,
  stage: number,
  count: number,
): Generator<readonly ["forward" | "backward", number]> {
  const ahead = schedule === "gpipe" ? count : Math.min(count, stages - stage);
  for (let k = 0; k < ahead; k++) yield ["forward", k];
  for (let k = 0; k < count; k++) {
    yield ["backward", k];
    if (ahead + k < count) yield ["forward", ahead + k];
  }
}
