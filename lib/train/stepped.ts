/** The events of the steps that a program has taken. */
import type { Batch } from "../strategies/strategy.ts";
import type { Stepped } from "./events.ts";

/** Where the first of the steps is. */
interface From {
  readonly step: number;
  readonly local: number;
  readonly experience: number;
  readonly perEpoch: number;
}

/** The batches of the steps, and how many of the stream's own rows in each were classified right before the update. */
interface Before {
  readonly batches: readonly Batch[];
  readonly right: ArrayLike<number>;
}

/**
 * One event per step from the terms of the loss, step after step; with the accuracy before the update where it is known.
 *
 * @throws RangeError that names the step and the term when a loss is not finite.
 */
export function stepEvents(names: readonly string[], terms: ArrayLike<number>, from: From, before?: Before): Stepped[] {
  const count = terms.length / names.length;
  return Array.from({ length: count }, (_, k) => {
    const values = names.map((name, i) => [name, terms[k * names.length + i]! + 0] as const); // + 0: no −0, which JSON does not know
    const loss = values.reduce((sum, [, value]) => sum + value, 0);
    const epoch = Math.floor((from.local + k) / from.perEpoch);
    if (!Number.isFinite(loss)) {
      const term = values.find(([, value]) => !Number.isFinite(value))?.[0] ?? "their sum";
      throw new RangeError(
        `fit: a finite loss is required, got ${loss} at step ${from.step + k + 1} (experience ${from.experience}, epoch ${epoch}, term "${term}"); lower the learning rate or the strength of that term`,
      );
    }
    const examples = before === undefined ? 0 : labelled(before.batches[k]!);
    return {
      type: "step",
      step: from.step + k + 1,
      experience: from.experience,
      epoch,
      loss,
      terms: Object.fromEntries(values),
      ...(examples === 0 ? {} : { examples, accuracy: before!.right[k]! / examples }),
    };
  });
}

/** How many of the stream's own rows have a label. */
function labelled({ y, current }: Batch): number {
  return y.subarray(0, current).reduce((count, label) => count + (label < 0 ? 0 : 1), 0);
}
