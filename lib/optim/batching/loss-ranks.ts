import { batching } from "../batching.ts";

/**
 * Examples with a large loss come more often: online batch selection by rank.
 *
 * The first pass has every example once. In each later one, as many are drawn with replacement, the example of rank `i` of `n` by its last
 * loss (the largest first) with a probability that goes as `pressure^(−i/n)`: the first is drawn `pressure` times as often as the last.
 * The pressure falls from `pressure` in the first of these passes to `last` in the last one, by equal factors.
 *
 * Loshchilov and Hutter 2016, "Online batch selection for faster training of neural networks", arXiv:1511.06343, section 3, eqs. 3 and 4.
 * Differs from the paper: ranks are made anew before every pass rather than after every so many examples, and losses are those of training,
 * without the paper's extra passes that recompute them.
 *
 * @example
 * ```ts
 * import { lossRanks } from "thalweg";
 * lossRanks({ pressure: 100 }).spec.options; // { pressure: 100, last: 1 }
 * ```
 */
export const lossRanks = batching(
  "lossRanks",
  {
    /** How much more often the example with the largest loss is drawn than that with the smallest, at first. */
    pressure: 100,
    /** The same in the last pass. */
    last: 1,
  },
  ({ pressure, last }) => {
    for (const [name, value] of Object.entries({ pressure, last }))
      if (!(value >= 1)) throw new RangeError(`lossRanks: ${name} must be a number of at least 1, got ${value}`);
    return {
      losses: true,
      order({ labels, epoch, epochs, losses, rng }) {
        const n = labels.length;
        if (epoch === 0) return rng.permutation(n);
        const done = epochs > 2 ? Math.min(1, (epoch - 1) / (epochs - 2)) : 0;
        const now = pressure * (last / pressure) ** done;
        const size = (i: number): number => (Number.isNaN(losses![i]!) ? Number.POSITIVE_INFINITY : losses![i]!);
        const ranked = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => size(b) - size(a) || a - b);
        // The sum of the first k of q^i is (1 − q^k) / (1 − q), which is turned round for a uniform draw.
        const q = now ** (-1 / n);
        const rank = (u: number): number =>
          q === 1 ? Math.floor(u * n) : Math.floor(Math.log(1 - u * (1 - q ** n)) / Math.log(q));
        return Uint32Array.from({ length: n }, () => ranked[Math.min(n - 1, rank(rng.uniform()))]!);
      },
    };
  },
);
