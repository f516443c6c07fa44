/** The evaluations within one experience, and how far the run may go until the next. */
import type { Experience, Stream } from "../../streams/stream.ts";
import { tasksDue } from "../due.ts";
import type { Plan } from "../plan.ts";
import { cadence } from "../probes/cadence.ts";
import { samples, type Test } from "../score.ts";
import type { Evaluation } from "../spec.ts";
import type { Cursor, Place } from "../state.ts";
import type { Meter } from "./budget.ts";

/** The evaluations within one experience. */
export interface Looks {
  /** The steps within the experience after which it is time, besides every so many. */
  readonly at: readonly number[];
  readonly tasks: readonly number[];
  readonly test: (task: number) => Test;
}

/** The experience that is being learnt. */
export interface Current {
  readonly experience: Experience;
  readonly plan: Plan | null;
  readonly looks: Looks;
  readonly meter: Meter;
  /** Wall-clock seconds of training. */
  seconds: number;
}

/** Plans the evaluations within an experience of so many steps, `together` of them in one program. */
export function looks(
  stream: Stream,
  evaluation: Evaluation,
  experience: number,
  steps: number,
  batch: number,
  together: number,
): Looks {
  const tasks = tasksDue(stream, evaluation, "step", experience);
  const work = { steps, batch, tasks: tasks.length, chunk: together, share: evaluation.share };
  const { at, examples } = evaluation.everySteps > 0 ? { at: [], examples: evaluation.examples } : cadence(work);
  return { at, tasks, test: samples(stream, examples) };
}

/** Steps until the next point where something else has to happen, if the experience has so many: at most `together`. */
export function stretch(
  { at }: Looks,
  { everySteps: every }: Evaluation,
  cursor: Cursor,
  together: number,
  stop?: Place,
): number {
  const untilEvaluation = every === 0 ? together : every - (cursor.step % every);
  const look = at.find((local) => local > cursor.local) ?? Number.POSITIVE_INFINITY;
  const end = stop?.experience === cursor.experience ? stop.local : Number.POSITIVE_INFINITY;
  return Math.min(together, look - cursor.local, untilEvaluation, end - cursor.local);
}
