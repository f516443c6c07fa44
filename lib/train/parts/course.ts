/** The arithmetic of a plan that changes: how many examples make an update, where a pass ends, and how many steps there will be. */
import type { Batching, BatchingHooks } from "../../optim/batching.ts";
import type { Moment } from "../../optim/optimizer.ts";
import type { Training } from "../spec.ts";

/** A place in an experience. A type, so that it is saved as it is. */
export type Spot = {
  readonly epoch: number;
  /** Examples of the pass that were taken, and of the experience. */
  readonly taken: number;
  readonly seen: number;
};

/** The parts of a plan with what they have heard. */
export interface Parts {
  readonly all: readonly Batching[];
  heard(name: string): object | undefined;
}

/** Where one is before an update: the steps taken on the experience and in the run, how many there will be, and the length of the pass. */
interface Here {
  readonly step: number;
  readonly run: number;
  readonly steps: number;
  readonly length: number;
}

/** The part that decides something, if there is one. */
export function deciding(parts: Parts, hook: keyof BatchingHooks<object>): Batching | undefined {
  return parts.all.find(({ plan }) => plan[hook] !== undefined);
}

/** A whole number that a part decides; `none` where no part does. */
export function decided(
  parts: Parts,
  hook: "batch" | "accumulate" | "most" | "views",
  moment: Required<Moment>,
  none: number,
): number {
  const part = deciding(parts, hook);
  if (part === undefined) return none;
  const value = part.plan[hook]!(moment, parts.heard(part.spec.name));
  const least = hook === "most" ? 0 : 1;
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${part.spec.name}: ${hook} must be a whole number of at least ${least}, got ${value}`);
  return value;
}

/** The arithmetic of one experience of so many examples. */
export function course(parts: Parts, training: Training, experience: number, examples: number) {
  const shortened = deciding(parts, "length")?.plan.length;
  const length = (epoch: number): number => shortened?.(examples, epoch, training.epochs, training.batch) ?? examples;

  const moment = ({ epoch, seen }: Spot, { step, run, steps, length: all }: Here): Required<Moment> => ({
    step,
    steps,
    epoch,
    experience,
    taken: run,
    seen,
    examples: all,
    epochs: training.epochs,
    batch: training.batch,
  });

  /** Examples of a batch, and of an update that gathers several. */
  const sizes = (at: Required<Moment>): { readonly batch: number; readonly total: number } => {
    const batch = decided(parts, "batch", at, training.batch);
    return { batch, total: batch * decided(parts, "accumulate", at, 1) };
  };

  const over = ({ epoch }: Spot, step: number): boolean =>
    training.steps > 0 ? step >= training.steps : epoch >= training.epochs;

  /** Examples of the next update, the place after it, and whether a pass ends with it; null where a pass has none. */
  const next = (
    from: Spot,
    here: Here,
  ): { readonly batch: number; readonly count: number; readonly to: Spot; readonly ends: boolean } | null => {
    const { batch, total } = sizes(moment(from, here));
    const count = Math.min(total, here.length - from.taken);
    if (count <= 0 || (training.dropLast && count < total && from.taken === 0)) return null;
    const to = { epoch: from.epoch, taken: from.taken + count, seen: from.seen + count };
    const left = here.length - to.taken;
    const short = (): boolean => left < sizes(moment(to, { ...here, step: here.step + 1, run: here.run + 1 })).total;
    const ends = left <= 0 || (training.dropLast && short());
    return { batch, count, ends, to: ends ? { ...to, epoch: from.epoch + 1, taken: 0 } : to };
  };

  /** The place after at most `most` steps from a place, if nothing more were told, and how many they are. */
  const foreseen = (from: Spot, first: number, steps: number, most = Number.POSITIVE_INFINITY) => {
    let [at, step] = [from, first];
    for (; step < most && !over(at, step); step++) {
      const found = next(at, { step, run: step, steps, length: length(at.epoch) });
      if (found === null) break;
      at = found.to;
    }
    return { at, steps: step };
  };

  return { length, moment, over, next, foreseen };
}
