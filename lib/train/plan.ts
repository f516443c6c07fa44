/** Which examples make which batch: a function of the seed and the position alone, so that a run can go on from anywhere. */
import { type Examples, gather, gatherTargets } from "../data/dataset.ts";
import type { Rng } from "../engine/index.ts";
import type { Batch } from "../strategies/strategy.ts";
import type { Training } from "./spec.ts";

/** The steps of one experience. */
export interface Plan {
  readonly examples: Examples;
  readonly task: number;
  /** Steps in one pass, and in all. */
  readonly perEpoch: number;
  readonly steps: number;
  /** Whether a budget of steps ends it before all is learnt. */
  readonly cut?: boolean;
  /** The batch of a step, counted from 0 within the experience. */
  batch(step: number): Batch;
}

/** Lays out the batches of an experience. An experience without examples has no steps. */
export function plan(
  examples: Examples,
  task: number,
  { batch, epochs, steps, shuffle, dropLast }: Training,
  rng: Rng,
): Plan {
  const perEpoch = dropLast ? Math.floor(examples.length / batch) : Math.ceil(examples.length / batch);
  const unlabelled = examples.targets === undefined && examples.labels.includes(-1);
  const straight = Uint32Array.from({ length: examples.length }, (_, i) => i);
  let epoch = -1;
  let order: Uint32Array = straight;
  return {
    examples,
    task,
    perEpoch,
    steps: perEpoch === 0 ? 0 : steps || epochs * perEpoch,
    batch(step) {
      const now = Math.floor(step / perEpoch);
      if (shuffle && now !== epoch) order = rng.at("shuffle", now).permutation(examples.length);
      epoch = now;
      const start = (step % perEpoch) * batch;
      const at = order.slice(start, start + batch);
      return {
        x: gather(examples, at),
        y: Int32Array.from(at, (i) => examples.labels[i]!),
        task: new Int32Array(at.length).fill(task),
        targets: examples.targets === undefined ? null : gatherTargets(examples, at),
        weight: unlabelled ? Float32Array.from(at, (i) => (examples.labels[i]! < 0 ? 0 : 1)) : null,
        current: at.length,
        rows: {},
        from: examples,
        at,
        extra: {},
      };
    },
  };
}
