import { darkHooks } from "../parts/dark.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Dark experience replay++: as `der`, and the labels of a second draw from the memory are learnt too.
 *
 * Adds `alpha · mean (h(x') − z')² + beta · CE(h(x''), y'')` with independent draws x' and x'' (see `der`).
 *
 * Buzzega et al. 2020, arXiv:2004.07211, algorithm 2 (DER++).
 * Differs from the paper: as `der`.
 *
 * @example
 * ```ts
 * import { derpp } from "thalweg";
 * derpp({ capacity: 500, alpha: 1, beta: 0.5 });
 * ```
 */
export const derpp = strategy(
  "derpp",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each term; 0 draws as many as the batch has. */
    draw: 0,
    /** Strength of the distance between logits. */
    alpha: 0.5,
    /** Strength of the cross-entropy of remembered examples. */
    beta: 0.5,
  },
  ({ capacity, draw, alpha, beta }) => {
    requireWhole("derpp", "capacity", capacity, 1);
    requireWhole("derpp", "draw", draw, 0);
    requireNumber("derpp", "alpha", alpha, 0);
    requireNumber("derpp", "beta", beta, 0);
    return darkHooks({ name: "derpp", capacity, draw, alpha, beta });
  },
);
