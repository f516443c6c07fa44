/** Which tasks an evaluation covers. */
import type { Stream } from "../streams/stream.ts";
import type { Evaluated } from "./events.ts";
import type { Evaluation } from "./spec.ts";

/** The tasks to evaluate in a round after experience `experience`, in ascending order. Looks that nobody asked for cover those met so far. */
export function tasksDue(
  stream: Stream,
  { tasks, everySteps }: Evaluation,
  at: Evaluated["at"],
  experience: number,
): number[] {
  const asked = at !== "step" || everySteps > 0;
  if (asked && tasks === "all" && Number.isFinite(stream.tasks))
    return Array.from({ length: stream.tasks }, (_, i) => i);
  const seen = new Set<number>();
  for (let i = 0; i <= experience && at !== "start"; i++) seen.add(stream.taskOf(i));
  return [...seen].sort((a, b) => a - b);
}
