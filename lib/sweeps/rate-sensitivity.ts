/** How much the end of training depends on the learning rate. */

/** The end of training at one learning rate. */
export interface RateOutcome {
  readonly rate: number;
  /** The loss at the end; infinite, or not a number, where it diverged. */
  readonly loss: number;
}

/**
 * By how much the losses at learning rates are above the best of them on average, none of them being taken for larger than the loss before training: 0 where
 * the rate does not matter.
 *
 * Rates are expected in equal ratios. A network with it small at one size can be trained at another with the same rate; instabilities of large transformers
 * show in small ones as a large one: with `queryKeyNorm` of `attention` and `zLoss` it falls.
 *
 * Implements: P437 Small-scale proxies for instabilities
 * Wortsman et al. 2023, "Small-scale proxies for large-scale transformer training instabilities", arXiv:2309.14322, section 2.2: LR sensitivity.
 *
 * @throws RangeError when there are no outcomes, or none is finite.
 *
 * @example
 * ```ts
 * import { rateSensitivity } from "thalweg";
 * rateSensitivity([{ rate: 0.01, loss: 2 }, { rate: 0.1, loss: 1 }, { rate: 1, loss: Number.POSITIVE_INFINITY }, { rate: 10, loss: 2 }], 4); // 1.25
 * ```
 */
export function rateSensitivity(outcomes: readonly RateOutcome[], lossBefore: number): number {
  const losses = outcomes.map(({ loss }) => (Number.isNaN(loss) ? lossBefore : Math.min(loss, lossBefore)));
  const best = Math.min(...losses);
  if (outcomes.length === 0 || !Number.isFinite(best))
    throw new RangeError(
      `rateSensitivity: outcomes with a finite loss before training are required, got ${lossBefore}`,
    );
  return losses.reduce((sum, loss) => sum + loss - best, 0) / losses.length;
}
