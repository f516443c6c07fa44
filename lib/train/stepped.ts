/** The events of the steps that a program has taken. */
import type { Stepped } from "./events.ts";

/** Where the first of the steps is. */
interface From {
  readonly step: number;
  readonly local: number;
  readonly experience: number;
  readonly perEpoch: number;
}

/**
 * One event per step from the terms of the loss, step after step.
 *
 * @throws RangeError that names the step and the term when a loss is not finite.
 */
export function stepEvents(names: readonly string[], terms: ArrayLike<number>, from: From): Stepped[] {
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
    return {
      type: "step",
      step: from.step + k + 1,
      experience: from.experience,
      epoch,
      loss,
      terms: Object.fromEntries(values),
    };
  });
}
