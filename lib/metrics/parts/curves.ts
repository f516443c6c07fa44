/** The evaluations of a run as one curve per task. */

import type { TrainEvent } from "../../train/events.ts";
import { type Rule, underRule } from "../accuracy-matrix.ts";
import { mean } from "./summaries.ts";

/** Values against steps. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

export interface Evaluations {
  readonly tasks: number;
  /** Accuracy against step, by task. */
  readonly curves: readonly Curve[];
  /** The step at which each task was first trained; infinite for a task that was not met. */
  readonly metAt: readonly number[];
  /** The step at which each task had first been learned, by however many experiences on end; infinite for one that was not. */
  readonly learnedAt: readonly number[];
  /** Where the training of a task begins, the experiences that go on with it left out. */
  readonly starts: readonly { readonly step: number; readonly task: number }[];
  /** The task that was being trained at a step; −1 before the first. */
  trainedAt(step: number): number;
}

/** All evaluations of a log, in the order of their steps; of two at one step the later counts. */
export function evaluationsOf(events: Iterable<TrainEvent>, rule: Rule = "stream"): Evaluations {
  const log = underRule(events, rule);
  const values: Map<number, number>[] = [];
  const met: number[] = [];
  const learned: number[] = [];
  const starts: { step: number; task: number }[] = [];
  const bounded = log.some((event) => event.type === "boundary");
  for (const event of log) {
    if (event.type === "boundary") {
      met[event.task] ??= event.step;
      const previous = starts.at(-1);
      if (previous !== undefined && previous.task !== event.task) learned[previous.task] ??= event.step;
      if (previous?.task !== event.task) starts.push({ step: event.step, task: event.task });
    }
    if (event.type !== "evaluated") continue;
    values[event.on] ??= new Map();
    values[event.on]!.set(event.step, event.accuracy);
    if (bounded) {
      const last = starts.at(-1);
      const first = last !== undefined && last.step === met[last.task]; // the visit in which the task is met
      if (event.at === "experience" && first) learned[last.task] = event.step;
    } else if (event.on <= event.after) {
      met[event.on] ??= event.step - 1;
      learned[event.on] ??= event.step;
    }
  }
  const tasks = Math.max(values.length, met.length);
  const listed = (steps: readonly number[]): number[] =>
    Array.from({ length: tasks }, (_, task) => steps[task] ?? Number.POSITIVE_INFINITY);
  return {
    tasks,
    curves: Array.from({ length: tasks }, (_, task) => {
      const points = [...(values[task] ?? [])].sort(([a], [b]) => a - b);
      return { x: points.map(([step]) => step), y: points.map(([, accuracy]) => accuracy) };
    }),
    metAt: listed(met),
    learnedAt: listed(learned),
    starts,
    trainedAt: (step) => starts.findLast((start) => start.step < step)?.task ?? -1,
  };
}

/** The mean over the tasks met so far, at every step where all of them were evaluated. */
export function averageCurve({ curves, metAt }: Evaluations): Curve {
  const at = new Map<number, number[]>();
  for (const [task, curve] of curves.entries()) {
    for (const [index, step] of curve.x.entries()) {
      if (step > metAt[task]!) at.set(step, [...(at.get(step) ?? []), curve.y[index]!]);
    }
  }
  const complete = [...at].filter(([step, found]) => found.length === metAt.filter((met) => met < step).length);
  const sorted = complete.sort(([a], [b]) => a - b);
  return {
    x: sorted.map(([step]) => step),
    y: sorted.map(([, found]) => mean(found)),
  };
}

/** Whether tasks were evaluated while an experience was being trained. */
export function evaluatedWithin(events: Iterable<TrainEvent>): boolean {
  for (const event of events) if (event.type === "evaluated" && event.at === "step") return true;
  return false;
}
