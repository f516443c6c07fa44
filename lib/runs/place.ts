/** Places in a run, said in the words of its stream. */

import type { Stream } from "../streams/stream.ts";
import type { TrainEvent } from "../train/events.ts";
import type { Place } from "../train/state.ts";

/** A place in a run that is found when the run is known. */
export interface Spot {
  /** So many steps into it; 0 is the moment before it begins. */
  step(local: number): Spot;
  /** The moment after its last step. */
  end(): Spot;
  /** The place in words. */
  readonly name: string;
  /** The place in a run with these events; throws when the run does not come there. */
  in(events: readonly TrainEvent[]): Place;
  /**
   * The place in a run to come over a stream, as where it is to stop; null at the end of the stream. The end of an experience is then the
   * moment before the next one begins, its evaluation included. Throws when the stream does not come there.
   */
  ahead(stream: Stream): Place | null;
}

/**
 * The first experience of a task, from 0: `run.at(task(3).step(40))` is 40 steps into it, `run.at(task(3))` the moment before it begins.
 *
 * @example
 * ```ts
 * import { task } from "thalweg";
 * const boundary = { type: "boundary", step: 0, experience: 0, task: 0, examples: 30, classes: [0], steps: 3 } as const;
 * task(0).step(2).in([boundary]); // { experience: 0, local: 2 }
 * ```
 */
export function task(index: number): Spot {
  return spot(`task ${index}`, { task: index }, 0);
}

/** An experience of the stream, from 0; `task` says the same where each task comes once. */
export function experience(index: number): Spot {
  return spot(`experience ${index}`, { experience: index }, 0);
}

/** What the first experience that is meant has. */
type Which = { readonly task: number } | { readonly experience: number };

/** Experiences of a stream that never ends among which a task is looked for. */
const many = 100_000;

function experienceOf(which: Which, stream: Stream, name: string): number {
  const count = Math.min(stream.length, many);
  let found = 0;
  if ("experience" in which) found = which.experience;
  else while (found < count && stream.taskOf(found) !== which.task) found++;
  if (Number.isInteger(found) && found >= 0 && found < Math.max(count, stream.length)) return found;
  throw new RangeError(
    `until: a place that the stream comes to is required, got ${name}; it has ${stream.length} experiences`,
  );
}

function spot(name: string, which: Which, local: number): Spot {
  const is = (event: TrainEvent): boolean =>
    event.type === "boundary" && ("task" in which ? event.task === which.task : event.experience === which.experience);
  return Object.freeze({
    step: (count: number) => {
      if (!Number.isInteger(count) || count < 0)
        throw new RangeError(`at: a whole number of steps of at least 0 is required, got ${count}`);
      return spot(name, which, count);
    },
    end: () => spot(name, which, Number.POSITIVE_INFINITY),
    name: local === 0 ? name : local === Number.POSITIVE_INFINITY ? `the end of ${name}` : `step ${local} of ${name}`,
    in(events: readonly TrainEvent[]): Place {
      const found = events.find(is);
      if (found?.type !== "boundary")
        throw new RangeError(`at: a place that the run has come to is required, got ${name}; it ended before that`);
      const most = found.steps ?? 0;
      if (local === Number.POSITIVE_INFINITY) return { experience: found.experience, local: most };
      if (local > most)
        throw new RangeError(
          `at: ${name} has ${most} steps, got step ${local}; name one of them, or the next experience`,
        );
      return { experience: found.experience, local };
    },
    ahead(stream: Stream): Place | null {
      const experience = experienceOf(which, stream, name);
      if (local !== Number.POSITIVE_INFINITY) return { experience, local };
      return experience === stream.length - 1 ? null : { experience: experience + 1, local: 0 };
    },
  });
}
