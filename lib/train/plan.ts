/** Which examples make which step: a function of the seed and the position alone, so that a run can go on from anywhere. */
import { type Examples, gather, gatherTargets } from "../data/dataset.ts";
import type { Rng } from "../engine/index.ts";
import type { Moment, Schedule } from "../optim/optimizer.ts";
import type { Batch } from "../strategies/strategy.ts";
import type { Resolution } from "./parts/resolution.ts";
import type { Training } from "./spec.ts";
import type { Hears } from "./step.ts";

/** One update of the weights to come. */
export interface Update {
  /** Its batch; several where their gradients are gathered. */
  readonly batches: readonly Batch[];
  readonly moment: Required<Moment>;
  /** What the schedule makes of the learning rate. */
  readonly factor: number;
  /** What the step is to give back for those who listen. */
  readonly hears?: Hears;
  /** The size that images are brought to. */
  readonly resolution?: Resolution;
}

/** The steps of one experience. */
export interface Plan {
  readonly examples: Examples;
  readonly task: number;
  /** Steps in all, as far as is known when the experience begins. */
  readonly steps: number;
  /** Whether after so many steps there is nothing left to do. */
  done(local: number): boolean;
  /** Whether a budget of steps ended it there before all was learnt. */
  cut?(local: number): boolean;
  /**
   * The update after so many steps of the experience and of the run; null where those before it must be taken first, because someone listens,
   * or where there is none. Asked for one after the other.
   */
  next(local: number, taken: number): Update | null;
  /** A batch as its rows are to be seen, after strategies have joined theirs. */
  seen?(update: Update, part: number, batch: Batch): Batch;
}

/** Lays out the batches of an experience. An experience without examples has no steps. */
export function plan(
  examples: Examples,
  task: number,
  training: Training,
  schedule: Schedule,
  experience: number,
  rng: Rng,
): Plan {
  const { batch, epochs, shuffle } = training;
  const perEpoch = stepsPerPass(examples.length, training);
  requireFull(examples.length, training, experience);
  const steps = perEpoch === 0 ? 0 : training.steps || epochs * perEpoch;
  const straight = Uint32Array.from({ length: examples.length }, (_, i) => i);
  const made = batches(examples, task);
  let epoch = -1;
  let order: Uint32Array = straight;
  const moment = (step: number, taken: number): Required<Moment> => {
    const now = Math.floor(step / perEpoch);
    const seen = now * Math.min(examples.length, perEpoch * batch) + (step % perEpoch) * batch;
    return { step, steps, epoch: now, experience, taken, seen, examples: examples.length, epochs, batch };
  };
  return {
    examples,
    task,
    steps,
    done: (local) => local >= steps,
    next(local, taken) {
      if (local >= steps) return null;
      const at = moment(local, taken);
      if (shuffle && at.epoch !== epoch) order = rng.at("shuffle", at.epoch).permutation(examples.length);
      epoch = at.epoch;
      const start = (local % perEpoch) * batch;
      return { batches: [made(order.slice(start, start + batch))], moment: at, factor: schedule.factor(at) };
    },
  };
}

/** Steps in one pass over so many examples in batches of one size. */
export function stepsPerPass(examples: number, { batch, dropLast }: Training): number {
  return dropLast ? Math.floor(examples / batch) : Math.ceil(examples / batch);
}

/**
 * Throws where the first experience has no full batch and batches that are not full are left out: nothing would be learnt. Later ones may be
 * shorter, as the last piece of a stream that is cut into pieces.
 */
function requireFull(examples: number, { batch, dropLast }: Training, experience: number): void {
  if (dropLast && experience === 0 && examples > 0 && examples < batch)
    throw new RangeError(
      `train: a batch of at most ${examples} examples is required with dropLast, got ${batch}; nothing of experience 0 would be learnt`,
    );
}

/** Makes batches of examples of a table, by their places in it; with several views each comes so often, one round after the other. */
export function batches(examples: Examples, task: number): (at: Uint32Array, views?: number) => Batch {
  const unlabelled = examples.targets === undefined && examples.labels.includes(-1);
  return (own, views = 1) => {
    const at = views === 1 ? own : Uint32Array.from({ length: own.length * views }, (_, i) => own[i % own.length]!);
    return {
      x: gather(examples, at),
      y: Int32Array.from(at, (i) => examples.labels[i]!),
      task: new Int32Array(at.length).fill(task),
      targets: examples.targets === undefined ? null : gatherTargets(examples, at),
      weight: unlabelled ? Float32Array.from(at, (i) => (examples.labels[i]! < 0 ? 0 : 1)) : null,
      current: at.length,
      ...(views > 1 && { views }),
      rows: {},
      from: examples,
      at,
      extra: {},
    };
  };
}
