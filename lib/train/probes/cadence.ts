/** When a run looks at itself between experiences' ends: often enough to see a dip, seldom enough not to be felt. */

/** What one experience is going to cost, in counted work: the clock has no say, so that equal runs look at equal steps. */
export interface Work {
  /** Steps of the experience, and examples in each. */
  readonly steps: number;
  readonly batch: number;
  /** Tasks that are evaluated each time. */
  readonly tasks: number;
  /** Steps that run in one program: a look between them would make training slower. */
  readonly chunk: number;
  /** The share of the work of training that looking may cost. */
  readonly share: number;
}

/** The steps after which tasks are evaluated, counted within the experience, and the test examples per task. */
export interface Cadence {
  readonly at: readonly number[];
  readonly examples: number;
}

/** A training step passes its examples through the network forwards and backwards: three times the work of evaluating them. */
const trained = 3;
/** What starting a program costs, in examples: a step taken alone, a step among many, an evaluation. */
const alone = 60;
const amongMany = 10;
const evaluated = 130;
/** Test examples per task: the most that still give so many looks. */
const sizes = [256, 128, 64] as const;
const looks = 24;

/** The work of so many steps, in passes of an example through the network; `many` of them run in one program. */
export function workOf(steps: number, batch: number, many = true): number {
  return trained * steps * (batch + (many ? amongMany : alone));
}

/**
 * Plans the evaluations within an experience: denser after its beginning, where accuracy on old tasks dips, than towards its end.
 *
 * Of `n` looks the `i`-th comes after the share `(i / (n + 1))²` of the steps, moved to the next end of a program. An experience too short
 * to afford a single look has none.
 *
 * @example
 * ```ts
 * import { cadence } from "thalweg";
 * cadence({ steps: 1000, batch: 32, tasks: 2, chunk: 16, share: 0.05 }).at.slice(0, 4); // [16, 32, 48, 64]
 * cadence({ steps: 1000, batch: 32, tasks: 2, chunk: 16, share: 0 }).at; // []
 * ```
 */
export function cadence({ steps, batch, tasks, chunk, share }: Work): Cadence {
  const budget = share * workOf(steps, batch, chunk > 1);
  const affordable = (examples: number): number => Math.floor(budget / (tasks * (examples + evaluated)));
  const examples = sizes.find((size) => affordable(size) >= looks) ?? sizes.at(-1)!;
  const count = Math.min(affordable(examples), Math.floor((steps - 1) / chunk));
  const at = new Set<number>();
  for (let i = 1; i <= count; i++) {
    const wanted = Math.ceil(((i / (count + 1)) ** 2 * steps) / chunk) * chunk;
    const step = Math.max(wanted, (at.size + 1) * chunk);
    if (step < steps) at.add(step);
  }
  return { at: [...at], examples };
}
