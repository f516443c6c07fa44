/** Class-incremental learning, recognised in a log. */
import type { TrainEvent } from "../../train/events.ts";

/** Why accuracy on a task before it is met says nothing: its classes compete with all others and were never trained. Undefined when it does. */
export function untrainedOutputs(log: readonly TrainEvent[]): string | undefined {
  if (log.some((event) => event.type === "started" && event.head === "multi")) return undefined;
  const met = new Set<number>();
  let first = true;
  for (const event of log) {
    if (event.type !== "boundary") continue;
    if (!first && event.classes.some((label) => !met.has(label))) {
      return `class-incremental: the outputs for the classes of task ${event.task} had never been trained before it was met, so its accuracy until then says nothing of transfer`;
    }
    for (const label of event.classes) met.add(label);
    first = false;
  }
  return undefined;
}
