/** The evaluations of a run as one curve per task. */
import { type Rule, underRule } from "../../metrics/accuracy-matrix.ts";
import type { TrainEvent } from "../../train/events.ts";
import type { Curve } from "./bands.ts";

export interface Evaluations {
  readonly tasks: number;
  /** Accuracy against step, by task. */
  readonly curves: readonly Curve[];
  /** The step at which each task was first trained; infinite for a task that was not met. */
  readonly metAt: readonly number[];
}

/** All evaluations of a log, in the order of their steps; of two at one step the later counts. */
export function evaluationsOf(events: readonly TrainEvent[], rule: Rule = "stream"): Evaluations {
  const values: Map<number, number>[] = [];
  const met: number[] = [];
  const bounded = events.some((event) => event.type === "boundary");
  for (const event of underRule(events, rule)) {
    if (event.type === "boundary") met[event.task] = Math.min(met[event.task] ?? Number.POSITIVE_INFINITY, event.step);
    if (event.type !== "evaluated") continue;
    values[event.on] ??= new Map();
    values[event.on]!.set(event.step, event.accuracy);
    if (!bounded && event.on <= event.after)
      met[event.on] = Math.min(met[event.on] ?? Number.POSITIVE_INFINITY, event.step - 1);
  }
  const tasks = Math.max(values.length, met.length);
  return {
    tasks,
    curves: Array.from({ length: tasks }, (_, task) => {
      const points = [...(values[task] ?? [])].sort(([a], [b]) => a - b);
      return { x: points.map(([step]) => step), y: points.map(([, accuracy]) => accuracy) };
    }),
    metAt: Array.from({ length: tasks }, (_, task) => met[task] ?? Number.POSITIVE_INFINITY),
  };
}
