/** What looks wrong in a run's log: terms that do nothing, and what strategies said of themselves. */
import type { TrainEvent } from "./events.ts";

/**
 * Sentences about what looks wrong in a run: a strategy's term that has been exactly zero, or a projection that has changed no gradient,
 * since some experience, from the second to the last; a run whose every loss was zero; and the notes of the strategies. An empty list when
 * nothing does.
 *
 * @example
 * ```ts
 * import { lints } from "thalweg";
 * lints([]); // []
 * ```
 */
export function lints(events: Iterable<TrainEvent>): string[] {
  const [terms, projections] = [new Map<string, number>(), new Map<string, number>()];
  const found: string[] = [];
  let last = 0;
  let [steps, idle] = [0, 0];
  for (const event of events) {
    if (event.type === "note") found.push(`${event.from}, experience ${event.experience}: ${event.text}`);
    if (event.type !== "step") continue;
    last = Math.max(last, event.experience);
    steps++;
    if (event.loss === 0) idle++;
    if (event.experience === 0) continue;
    const { task: _, ...added } = event.terms;
    noteZeros(terms, added, event.experience);
    noteZeros(projections, event.projected ?? {}, event.experience);
  }
  if (steps > 0 && idle === steps)
    found.push(
      "fit: every loss was exactly zero; nothing was learnt. Check that training examples have labels, and that there is more than one class",
    );
  for (const [name, since] of terms)
    if (since <= last)
      found.push(
        `${name}: its term has been exactly zero since experience ${since}; it does nothing. Raise its strength, or check that it is given what it needs`,
      );
  for (const [name, since] of projections)
    if (since <= last)
      found.push(
        `${name}: it has changed no gradient since experience ${since}; it does nothing. Check its memory, or what it protects`,
      );
  return found;
}

/** Keeps the experience since which each number has been zero; one that was not is never. */
function noteZeros(since: Map<string, number>, sizes: Readonly<Record<string, number>>, experience: number): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (value !== 0) since.set(name, Number.POSITIVE_INFINITY);
    else if (!((since.get(name) ?? Number.POSITIVE_INFINITY) <= experience)) since.set(name, experience);
  }
}
