/** What experiments and their tasks are called. */
import type { RunSpec } from "../train/spec.ts";

/** The strategies of an experiment in a word: `replay+ewc`, `naive`. */
export function nameOf({ strategies }: Pick<RunSpec, "strategies">): string {
  return strategies.map((s) => s.spec.name).join("+") || "naive";
}

/** A name for each task: its classes where they are few and its own, else its number, from 0 as in the log. */
export function taskNames({ stream }: Pick<RunSpec, "stream">): string[] {
  if (!Number.isFinite(stream.tasks)) return [];
  const named = Array.from({ length: stream.tasks }, (_, task) =>
    stream.classesOf(task).map((column) => stream.classes[column] ?? String(column)),
  );
  const own = new Set(named.map(String)).size === named.length;
  return named.map((names, task) => (own && names.length <= 3 ? names.join(", ") : `task ${task}`));
}
