/** The numbers of a log as trackers have them: a name, a step, a value. */
import type { TrainEvent } from "../../train/events.ts";

export interface Scalar {
  /** Parts between slashes, of letters, digits and `-_.` only. */
  readonly tag: string;
  readonly step: number;
  readonly value: number;
}

const word = (text: string): string => text.replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "") || "unnamed";

/** Losses and their terms at every step, accuracies of every task at every evaluation; what is no finite number is left out. */
export function scalars(events: readonly TrainEvent[], tasks: readonly string[]): Scalar[] {
  const found: Scalar[] = [];
  const add = (tag: string, step: number, value: number | undefined): void => {
    if (value !== undefined && Number.isFinite(value)) found.push({ tag, step, value });
  };
  for (const event of events) {
    if (event.type === "step") {
      add("train/loss", event.step, event.loss);
      add("train/accuracy", event.step, event.accuracy);
      for (const [name, value] of Object.entries(event.terms)) add(`train/terms/${word(name)}`, event.step, value);
    } else if (event.type === "evaluated") {
      const task = word(tasks[event.on] ?? `task ${event.on}`);
      add(`test/accuracy/${task}`, event.step, event.accuracy);
      add(`test/task-aware/${task}`, event.step, event.taskAware);
      add(`test/loss/${task}`, event.step, event.loss);
    }
  }
  return found;
}

/** What the experiment says of itself, flat: `spec.batch` and the like, each value as text of at most 500 characters. */
export function parameters(spec: unknown, prefix = ""): [string, string][] {
  if (typeof spec !== "object" || spec === null) return [[prefix || "value", String(spec).slice(0, 500)]];
  return Object.entries(spec).flatMap(([key, value]) =>
    parameters(value, prefix ? `${prefix}.${word(key)}` : word(key)),
  );
}
