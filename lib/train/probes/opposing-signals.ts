/** Examples that pull a network in opposite directions. */
import { needWhole } from "../../data/options.ts";

/** Two groups of examples between two steps, by their rows. */
export interface OpposingSignals {
  /** The examples whose losses rose the most, the most first, and those whose losses fell the most. */
  readonly rising: number[];
  readonly falling: number[];
  /** The mean changes of their losses. */
  readonly rise: number;
  readonly fall: number;
  /** The share of all change, up or down, that these groups have. */
  readonly share: number;
}

/**
 * The examples whose losses changed the most, in opposite directions, from one step of descent over all examples to the next. Where a network
 * oscillates in a steep valley, a few outliers rise and others fall at one step and the other way round at the next, while most hardly move.
 *
 * `before` and `after` are the losses of the same examples, as `targetLosses` or a pass over the training table gives them; each group has `count`
 * examples, fewer where fewer rose or fell.
 *
 * Implements: P456 Opposing signals
 * Rosenfeld and Risteski 2023, "Outliers with opposing signals have an outsized effect on neural network optimization", arXiv:2311.04163, section 2.
 *
 * @throws RangeError for losses of other numbers of examples.
 *
 * @example
 * ```ts
 * import { opposingSignals } from "thalweg";
 * const { rising, falling } = opposingSignals([1, 1, 1, 1], [3, 1.1, 0.9, 0], { count: 1 });
 * [rising, falling]; // [[0], [3]]
 * ```
 */
export function opposingSignals(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  { count = 10 }: { readonly count?: number } = {},
): OpposingSignals {
  needWhole("opposingSignals", "count", count);
  if (before.length !== after.length)
    throw new RangeError(
      `opposingSignals: losses of the same examples are required, got ${before.length} and ${after.length}`,
    );
  const changes = Array.from(before, (loss, i) => after[i]! - loss);
  const order = changes.map((_, i) => i).sort((a, b) => changes[b]! - changes[a]! || a - b);
  const rising = order.slice(0, count).filter((i) => changes[i]! > 0);
  const falling = order
    .slice(-count)
    .reverse()
    .filter((i) => changes[i]! < 0);
  const sum = (rows: readonly number[]): number => rows.reduce((total, i) => total + changes[i]!, 0);
  const mean = (rows: readonly number[]): number => (rows.length === 0 ? 0 : sum(rows) / rows.length);
  const all = changes.reduce((total, change) => total + Math.abs(change), 0);
  return {
    rising,
    falling,
    rise: mean(rising),
    fall: mean(falling),
    share: all === 0 ? 0 : (sum(rising) - sum(falling)) / all,
  };
}
