/** The batches of a whole run, as plain training has them, and parts of them for several machines. */
import { type Plan, plan } from "../../train/plan.ts";
import type { StepPass } from "../../train/stacked.ts";
import type { Trainer } from "./trainer.ts";

/** The updates of a run. */
export interface Course {
  readonly updates: number;
  /** The batch of an update; updates are asked for in any order, near ones cheaply. */
  at(update: number): StepPass;
  /** The tasks that were met before an update. */
  met(update: number): readonly number[];
}

/** Lays out the run of an experiment; experiences are read when they are come to. */
export function course({ spec, root }: Trainer): Course {
  const { stream, training, schedule, optimizer } = spec;
  let held: { readonly index: number; readonly plan: Plan } | undefined;
  const counts = Array.from({ length: stream.length }, (_, index) => planOf(index).steps);
  const starts = counts.map((_, index) => counts.slice(0, index).reduce((a, b) => a + b, 0));
  const updates = counts.reduce((a, b) => a + b, 0);
  function planOf(index: number): Plan {
    if (held?.index === index) return held.plan;
    const { train, task } = stream.experience(index);
    const made = plan(train, task, training, schedule, index, root.at("order", index));
    held = { index, plan: made };
    return made;
  }

  const indexOf = (update: number): number => starts.findLastIndex((start, i) => start <= update && counts[i]! > 0);

  return {
    updates,
    at(update) {
      const index = indexOf(update);
      const next = planOf(index).next(update - starts[index]!, update)!;
      const [batch] = next.batches as [StepPass["batch"]];
      return { batch, rate: optimizer.rate * next.factor, moment: next.moment, part: 0, share: 1, last: true };
    },
    met: (update) => {
      const until = update >= updates ? stream.length : indexOf(update) + 1;
      return [...new Set(Array.from({ length: until }, (_, index) => stream.taskOf(index)))];
    },
  };
}

/** The rows of a batch that fall to one of several machines; null where none do. */
export function shardOf(pass: StepPass, machine: number, machines: number): StepPass | null {
  if (machines === 1) return pass;
  const { batch } = pass;
  const n = batch.current;
  const [from, to] = [Math.floor((machine * n) / machines), Math.floor(((machine + 1) * n) / machines)];
  if (to === from) return null;
  const width = batch.x.length / n;
  const targets = batch.targets === null ? 0 : batch.targets.length / n;
  return {
    ...pass,
    batch: {
      ...batch,
      x: batch.x.slice(from * width, to * width),
      y: batch.y.slice(from, to),
      task: batch.task.slice(from, to),
      targets: batch.targets === null ? null : batch.targets.slice(from * targets, to * targets),
      weight: batch.weight === null ? null : batch.weight.slice(from, to),
      current: to - from,
      at: batch.at.slice(from, to),
    },
  };
}
