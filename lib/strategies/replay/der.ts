import { darkHooks } from "../parts/dark.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Dark experience replay: the network is held to the logits it gave for remembered examples when they arrived.
 *
 * Adds `alpha · mean (h(x') − z')²` over drawn examples x' and all columns, where z' are the logits that were kept with x': those before
 * the update on x', in training mode. The memory is a reservoir.
 *
 * Buzzega et al. 2020, arXiv:2004.07211, algorithm 1. With a growing head only the columns that existed when an example arrived count.
 * Differs from the paper: none known; the examples of the memory are not augmented anew, since no data is augmented here.
 *
 * @example
 * ```ts
 * import { der } from "thalweg";
 * der({ capacity: 500, alpha: 1, draw: 128 });
 * ```
 */
export const der = strategy(
  "der",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** Strength of the distance between logits. */
    alpha: 0.5,
  },
  ({ capacity, draw, alpha }) => {
    requireWhole("der", "capacity", capacity, 1);
    requireWhole("der", "draw", draw, 0);
    requireNumber("der", "alpha", alpha, 0);
    return darkHooks({ name: "der", capacity, draw, alpha, beta: 0 });
  },
);
