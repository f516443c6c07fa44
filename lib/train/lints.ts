/** What looks wrong in a run's log: terms that do nothing, and what strategies said of themselves. */
import type { TrainEvent } from "./events.ts";

/**
 * Sentences about what looks wrong in a run: a strategy's term that has been exactly zero since some experience, from the second to the last, and the
 * notes of the strategies. An empty list when nothing does.
 *
 * @example
 * ```ts
 * import { lints } from "thalweg";
 * lints([]); // []
 * ```
 */
export function lints(events: Iterable<TrainEvent>): string[] {
  const zeroSince = new Map<string, number>();
  const found: string[] = [];
  let last = 0;
  for (const event of events) {
    if (event.type === "note") found.push(`${event.from}, experience ${event.experience}: ${event.text}`);
    if (event.type !== "step") continue;
    last = Math.max(last, event.experience);
    if (event.experience === 0) continue;
    for (const [name, value] of Object.entries(event.terms)) {
      if (name === "task") continue;
      if (value !== 0) zeroSince.set(name, Number.POSITIVE_INFINITY);
      else if (!((zeroSince.get(name) ?? Number.POSITIVE_INFINITY) <= event.experience))
        zeroSince.set(name, event.experience);
    }
  }
  for (const [name, since] of zeroSince)
    if (since <= last)
      found.push(
        `${name}: its term has been exactly zero since experience ${since}; it does nothing. Raise its strength, or check that it is given what it needs`,
      );
  return found;
}
