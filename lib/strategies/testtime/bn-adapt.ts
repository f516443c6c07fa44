import { leaves, type Tree } from "../../engine/index.ts";
import { type Reset, requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Normalises test examples by statistics of their own batch, blended with those of training: nothing is learnt, little is asked.
 *
 * Each layer that keeps running statistics normalises by `N/(N + n) · running + n/(N + n) · own`, n being the examples of the batch. Every
 * batch begins again at what was trained. With a prior of 0 only the batch counts.
 *
 * Schneider et al. 2020, arXiv:2006.16971, eq. 2; with a prior of 0 Nado et al. 2020, arXiv:2006.10963.
 * Differs from the paper: the variance of a batch is the biased one, by which it is normalised in training too.
 *
 * @example
 * ```ts
 * import { bnAdapt, classes, digits, net } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).corrupt("fog", 3, { part: "test" }).learn(model).by(bnAdapt({ prior: 16 }));
 * ```
 */
export const bnAdapt = strategy(
  "bnAdapt",
  {
    /** N: how many examples the statistics of training count for. */
    prior: 16,
    /** Test examples that arrive at once. */
    batch: 64,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ prior, batch, shuffle }) => {
    requireNumber("bnAdapt", "prior", prior, 0);
    requireWhole("bnAdapt", "batch", batch, 1);
    return {
      tokens: true,
      init({ statistics }) {
        if (leaves(statistics as Tree).length > 0) return {};
        throw new TypeError(
          "bnAdapt: a model with layers that keep running statistics is required, got one without; use net().batchNorm()",
        );
      },
      adapting: { batch, reset: "batch" satisfies Reset, shuffle },
      adapt(_state, { x, forward }) {
        const n = x.shape[0]!;
        return { statistics: forward(x, { share: n / (prior + n) }).statistics };
      },
    };
  },
);
