/** What is kept of updates until those who listen are told. */
import type { Listening, News } from "../../optim/listening.ts";
import type { Hears } from "../step.ts";

/** What an update came to. */
export interface Outcome {
  readonly loss: number;
  readonly terms: Readonly<Record<string, number>>;
  /** Rows of the stream, in each batch whose gradient was gathered. */
  readonly rows: readonly number[];
  /** Where asked for: squared norms of the gradients of these batches, and of the whole. */
  readonly squares?: readonly number[];
  readonly whole?: number;
  /** Where asked for: the losses of examples, by their place in the table. */
  readonly losses?: readonly { readonly at: Uint32Array; readonly values: ArrayLike<number> }[];
}

/** Sums over the updates since someone was told. A type, so that it is saved as it is. */
export type Window = {
  readonly steps: number;
  readonly loss: number;
  readonly terms: { readonly [name: string]: number };
};

export const noNews: Window = { steps: 0, loss: 0, terms: {} };

/** The sums with one update more. */
export function withOutcome(window: Window, { loss, terms }: Outcome): Window {
  const sums = Object.entries(terms).map(([name, value]) => [name, (window.terms[name] ?? 0) + value] as const);
  return { steps: window.steps + 1, loss: window.loss + loss, terms: { ...window.terms, ...Object.fromEntries(sums) } };
}

/** What is told of the updates of a window, `last` being the last of them. */
export function newsOf(window: Window, last: Outcome, hears: Listening<object>["hears"] = []): News {
  const { steps } = window;
  const variance = hears.includes("variance") ? varianceOf(last) : undefined;
  return {
    steps,
    loss: window.loss / steps,
    terms: Object.fromEntries(Object.entries(window.terms).map(([name, value]) => [name, value / steps])),
    examples: last.rows.reduce((sum, rows) => sum + rows, 0),
    ...(hears.includes("norm") && last.whole !== undefined && { norm: last.whole }),
    ...(variance !== undefined && { variance }),
  };
}

/**
 * The trace of the covariance of single examples' gradients, from the gradients `gⱼ` of parts of `nⱼ` rows and their mean `ḡ`:
 * `(Σ nⱼ‖gⱼ‖² − N‖ḡ‖²) / (m − 1)`, which is unbiased. Undefined for one part.
 */
export function varianceOf({ rows, squares, whole }: Outcome): number | undefined {
  if (squares === undefined || whole === undefined || rows.length < 2) return undefined;
  const total = rows.reduce((sum, n) => sum + n, 0);
  const within = rows.reduce((sum, n, j) => sum + n * squares[j]!, 0);
  return Math.max(0, (within - total * whole) / (rows.length - 1));
}

/** What an update has to give back for those who are told after it; undefined where the loss is enough. */
export function hearsOf(told: readonly Listening<object>[], losses: boolean): Hears | undefined {
  const norm = told.some(({ hears }) => hears !== undefined && hears.length > 0);
  return norm || losses ? { norm, losses } : undefined;
}
