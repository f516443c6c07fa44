import { needOneOf, needWhole } from "../data/options.ts";

/** A chain of steps, and how it is solved. */
export interface JacobiOptions {
  /** `sₜ = stepₜ(sₜ₋₁)`: layers, or one cell at the places of a sequence. */
  readonly steps: readonly ((state: Float32Array) => Float32Array)[];
  /** `s₀`. */
  readonly start: Float32Array;
  /** "jacobi": all states at once; "blocks": blocks one after the other, the states of one at once. Default "jacobi". */
  readonly solver?: "jacobi" | "blocks";
  /** States of a block. Default 8. */
  readonly block?: number;
  /** States are taken as solved when none of their numbers changes by more than this. Default 0: the exact result. */
  readonly tolerance?: number;
  /** Steps that can be done at the same time. Default all. */
  readonly machines?: number;
}

/** What solving came to. */
export interface Solved {
  /** `s₁, s₂, …` */
  readonly states: readonly Float32Array[];
  /** Rounds in which all states that are not solved were made anew. */
  readonly rounds: number;
  /** Steps that were done. */
  readonly done: number;
  /** How many times faster than one step after the other, where each takes as long. */
  readonly speedup: number;
}

/**
 * A chain of steps as a system of equations that is solved for all states at once: each round makes every state from the last guess of the one
 * before, and after as many rounds as there are steps, often after far fewer, nothing changes any more.
 *
 * A state whose predecessors are solved is solved: with a tolerance of 0 the result is that of one step after the other, bit for bit. Where a
 * state hardly depends on those long before it, as in a network that forgets, few rounds are needed.
 *
 * Song, Meng, Liao and Ermon 2021, arXiv:2002.03629, algorithms 1 (Jacobi) and 3 (Jacobi–Gauss–Seidel).
 *
 * Implements: P133 Jacobi parallel feedforward
 *
 * @throws RangeError for blocks or machines that are no counts, or a negative tolerance.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const forgets = Array.from({ length: 64 }, (_, t) => (s: Float32Array) => s.map((x) => Math.fround(0.1 * x + t)));
 * const { rounds, speedup } = simulate.jacobi({ steps: forgets, start: Float32Array.of(1) });
 * rounds < 12 && speedup > 5; // true
 * ```
 */
export function jacobi({
  steps,
  start,
  solver = "jacobi",
  block = 8,
  tolerance = 0,
  machines = steps.length,
}: JacobiOptions): Solved {
  needOneOf("jacobi", "solver", solver, ["jacobi", "blocks"]);
  needWhole("jacobi", "block", block);
  needWhole("jacobi", "machines", machines, Math.min(1, steps.length));
  if (!(tolerance >= 0)) throw new RangeError(`jacobi: a tolerance of 0 or more is required, got ${tolerance}`);
  const states: Float32Array[] = [];
  const size = solver === "jacobi" ? Math.max(1, steps.length) : block;
  let [rounds, done, waves] = [0, 0, 0];
  for (let from = 0; from < steps.length; from += size) {
    const to = Math.min(steps.length, from + size);
    const before = from === 0 ? start : states[from - 1]!;
    for (let t = from; t < to; t++) states[t] = before;
    for (let solved = from; solved < to; ) {
      const next = steps.slice(solved, to).map((step, i) => step(i + solved === 0 ? start : states[i + solved - 1]!));
      rounds++;
      done += next.length;
      waves += Math.ceil(next.length / machines);
      const same = next.map((state, i) => near(state, states[solved + i]!, tolerance));
      for (const [i, state] of next.entries()) states[solved + i] = state;
      // the first was made from what is solved; so was each after it whose predecessors did not change
      const changed = same.indexOf(false);
      solved = changed < 0 ? to : solved + Math.max(1, changed + 1);
    }
  }
  return { states, rounds, done, speedup: waves === 0 ? 1 : steps.length / waves };
}

function near(a: Float32Array, b: Float32Array, tolerance: number): boolean {
  return a.length === b.length && a.every((x, i) => Math.abs(x - b[i]!) <= tolerance);
}
