/** Keeps a run to what its stream says may be spent on each experience. */
import { type Examples, sizeOf } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import type { Batch, Strategy } from "../../strategies/strategy.ts";
import type { Budget, Experience, Stream } from "../../streams/stream.ts";
import type { Learned } from "../events.ts";
import type { States } from "../held.ts";
import type { Plan } from "../plan.ts";
import type { Learner } from "../step.ts";

/** A plan that ends with the steps that the budget allows. */
export function withinSteps(steps: Plan, { steps: allowed = Infinity }: Budget = {}): Plan {
  if (allowed === Infinity) return steps;
  const most = Math.floor(allowed);
  return {
    ...steps,
    steps: Math.min(steps.steps, most),
    done: (local) => local >= most || steps.done(local),
    cut: (local) => local >= most && !steps.done(local),
    next: (local, taken) => (local >= most ? null : steps.next(local, taken)),
  };
}

/** What steps cost in floating-point operations, and whether another may be taken. */
export interface Meter {
  /** Operations of training on the rows of these batches: their passes forwards and backwards. */
  cost(batches: readonly Batch[]): number;
  /** Whether an experience on which so much was spent goes on after these batches, which are ready but not run yet. */
  open(spent: number, ready: readonly Batch[]): boolean;
}

/** A meter for one experience, of a network whose pass takes `forward()` operations for each row; it counts only where there is a budget. */
export function meter({ flops: most }: Budget = {}, forward: () => number): Meter {
  if (most === undefined) return { cost: () => 0, open: () => true };
  const perRow = 3 * forward();
  const cost = (batches: readonly Batch[]): number => perRow * batches.reduce((rows, { y }) => rows + y.length, 0);
  return { cost, open: (spent, ready) => spent + cost(ready) < most };
}

/** What of a budget ended an experience before all was learnt; nothing where none did. */
export function spentBy(steps: Plan | null, local: number): Pick<Learned, "budget"> {
  if (steps === null || local === 0) return {};
  if (!steps.done(local)) return { budget: "flops" };
  return steps.cut?.(local) === true ? { budget: "steps" } : {};
}

/** The bytes of what a strategy holds: typed arrays and tensors, wherever they lie in its state. */
export function bytesOf(state: unknown): number {
  if (ArrayBuffer.isView(state)) return state.byteLength;
  if (state instanceof tf.Tensor) return state.size * (state.dtype === "bool" ? 1 : 4);
  if (state === null || typeof state !== "object") return 0;
  const parts = state instanceof Map || state instanceof Set ? [...state.values()] : Object.values(state);
  return parts.reduce((sum: number, part) => sum + bytesOf(part), 0);
}

/**
 * Throws when the strategies hold more bytes than may be kept from one experience to the next. `more` is what one trains on beyond the
 * experience's own examples: a strategy that reads the past again has kept it as surely as one with a buffer.
 */
export function requireWithinMemory(
  { memoryBytes: most = Infinity }: Budget = {},
  states: States,
  carried: Learner["carried"],
  more: ReturnType<typeof again> = null,
): void {
  if (most === Infinity) return;
  const held = Object.entries(states).map(([name, state]) => [name, bytesOf(state) + bytesOf(carried[name])] as const);
  const kept = held.map(([name, bytes]) => [name, more?.name === name ? Math.max(bytes, more.bytes) : bytes] as const);
  const total = kept.reduce((sum, [, bytes]) => sum + bytes, 0);
  if (total > most)
    refuse(
      most,
      total,
      kept.filter(([, bytes]) => bytes > 0).map(([name, bytes]) => `${name} ${bytes}`),
    );
}

/** What a strategy trains on beyond the experience's own examples: who, and how many bytes. */
export function again(
  strategies: readonly Strategy[],
  { train }: Experience,
  steps: Plan | null,
): { readonly name: string; readonly bytes: number } | null {
  const chooser = strategies.find(({ hooks }) => hooks.data !== undefined);
  if (chooser === undefined || steps === null) return null;
  const more = Math.max(0, steps.examples.length - train.length);
  return { name: chooser.spec.name, bytes: more * exampleBytes(train) };
}

function exampleBytes({ shape, bytes }: Examples): number {
  return sizeOf(shape) * (bytes ? 1 : 4);
}

/** Throws before any training when a memory of raw examples is larger than what may be kept. */
export function requireRoom(stream: Stream, strategies: readonly Strategy[]): void {
  const most = stream.budget?.memoryBytes;
  if (most === undefined) return;
  const each = exampleBytes(stream.experience(0).train);
  const wanted = strategies.flatMap(({ spec: { name, options } }) => {
    const capacity = (options as { capacity?: unknown }).capacity;
    return typeof capacity === "number" ? [[name, capacity * each] as const] : [];
  });
  const total = wanted.reduce((sum, [, size]) => sum + size, 0);
  if (total > most)
    refuse(
      most,
      total,
      wanted.map(([name, size]) => `${name} ${size} for its examples`),
    );
}

function refuse(most: number, total: number, parts: readonly string[]): never {
  throw new RangeError(
    `budget: at most ${most} bytes may be kept from one experience to the next, got ${total} (${parts.join(", ")}); lower the capacity, or raise memoryBytes`,
  );
}

/** Throws when labels could have been asked for, `before` of them, and no strategy did: there would be nothing to learn from. */
export function requireAsked({ index, oracle }: Experience, before: number): void {
  if (oracle === undefined || before === 0 || oracle.left < before) return;
  throw new TypeError(
    `active: a strategy that asks for labels is required, got none that asked in experience ${index}; give one with by(acquire())`,
  );
}
