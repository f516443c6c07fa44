/** Learning rates of steps to come. */
import type { Optimizer, Schedule } from "../../optim/optimizer.ts";
import type { Plan } from "../plan.ts";
import type { Cursor } from "../state.ts";

/** The learning rates of the next `count` steps of an experience. */
export function ratesOf(optimizer: Optimizer, schedule: Schedule, steps: Plan, from: Cursor, count: number): number[] {
  return Array.from({ length: count }, (_, k) => {
    const step = from.local + k;
    const epoch = Math.floor(step / steps.perEpoch);
    return optimizer.rate * schedule.factor({ step, steps: steps.steps, epoch, experience: from.experience });
  });
}
