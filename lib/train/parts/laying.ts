/** The updates to come as passes through the network, and what they came to as events. */
import type { Batch } from "../../strategies/strategy.ts";
import type { Stepped } from "../events.ts";
import type { Plan, Update } from "../plan.ts";
import type { StepPass } from "../stacked.ts";
import type { Cursor } from "../state.ts";
import type { Outputs } from "../step.ts";
import { gatheredEvent, type StepAt } from "../stepped.ts";
import type { Meter } from "./budget.ts";
import type { Outcome } from "./hearing.ts";

/** Updates to come, as passes: how many run in one program, and whether gradients are gathered over several. */
export interface Laid {
  readonly passes: readonly StepPass[];
  readonly whole: number;
  readonly gathers: boolean;
}

/**
 * Lays out up to `count` updates, and not many more passes than `chunk`. `prepared` is a batch as strategies change it, for the `k`-th of the
 * updates and a part of it; `rate` is the optimizer's.
 */
export function layOut(
  steps: Plan,
  { count, chunk, rate }: { readonly count: number; readonly chunk: number; readonly rate: number },
  from: Cursor,
  within: Meter,
  prepared: (batch: Batch, k: number, part: number) => Batch,
): Laid {
  const updates: Update[] = [];
  const passes: StepPass[] = [];
  const ready: Batch[] = [];
  while (updates.length < count && within.open(from.flops, ready)) {
    const k = updates.length;
    if (k > 0 && passes.length + updates[0]!.batches.length > chunk) break;
    const update = steps.next(from.local + k, from.step + k);
    if (update === null) break;
    const total = update.batches.reduce((sum, { current }) => sum + current, 0);
    update.batches.forEach((given, part) => {
      const own = prepared(given, k, part);
      const batch = steps.seen === undefined ? own : steps.seen(update, part, own);
      const last = part === update.batches.length - 1;
      const { hears, moment, resolution } = update;
      const share = given.current / total;
      passes.push({ batch, rate: rate * update.factor, moment, part, share, last, hears, resolution });
      ready.push(batch);
    });
    updates.push(update);
  }
  const most = Math.max(1, ...updates.map(({ batches }) => batches.length));
  const whole = most >= chunk ? chunk : most * Math.floor(chunk / most);
  return { passes, whole, gathers: most > 1 };
}

/** The steps of passes, as their events say them. */
export function stepsOf(passes: readonly StepPass[]): StepAt[] {
  return passes.map(({ moment: { taken, epoch, experience } }) => ({ step: taken + 1, epoch, experience }));
}

/** What a pass came to. */
export interface Done {
  readonly pass: StepPass;
  readonly event: Stepped;
  readonly square?: number;
  readonly whole?: number;
  readonly losses?: ArrayLike<number>;
}

/** What passes of one program came to, from their events and what was heard. */
export function doneOf(passes: readonly StepPass[], events: readonly Stepped[], heard: Outputs["heard"]): Done[] {
  if (heard === undefined) return passes.map((pass, k) => ({ pass, event: events[k]! }));
  const [squares, wholes, losses] = [heard.square, heard.whole, heard.losses].map((t) => t?.dataSync());
  return passes.map((pass, k) => ({
    pass,
    event: events[k]!,
    ...(squares && wholes && { square: squares[k]!, whole: wholes[k]! }),
    ...(losses && { losses: losses.subarray(k * pass.batch.current, (k + 1) * pass.batch.current) }),
  }));
}

/** The events of updates from those of their passes. */
export function updateEvents(done: readonly Done[]): Stepped[] {
  return updatesOf(done).map((parts) =>
    gatheredEvent(
      parts.map(({ event }) => event),
      parts.map(({ pass }) => pass.share),
    ),
  );
}

/** What updates came to, for those who listen. */
export function outcomesOf(done: readonly Done[], events: readonly Stepped[]): Outcome[] {
  return updatesOf(done).map((parts, k) => {
    const { loss, terms } = events[k]!;
    const [first, last] = [parts[0]!, parts.at(-1)!];
    return {
      loss,
      terms,
      rows: parts.map(({ pass }) => pass.batch.current / (pass.batch.views ?? 1)),
      ...(first.square !== undefined && { squares: parts.map(({ square }) => square!), whole: last.whole! }),
      ...(first.losses && { losses: parts.map(({ pass, losses }) => ({ at: pass.batch.at, values: losses! })) }),
    };
  });
}

function updatesOf(done: readonly Done[]): Done[][] {
  const groups: Done[][] = [];
  for (const each of done) {
    if (each.pass.part === 0) groups.push([]);
    groups.at(-1)!.push(each);
  }
  return groups;
}
