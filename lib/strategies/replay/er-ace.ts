import { tf } from "../../engine/index.ts";
import { present } from "../parts/contrast.ts";
import { type OnlineMemory, replayed } from "../parts/online.ts";
import { currentRows, pastEntropy } from "../parts/rows.ts";
import { requireWhole, strategy } from "../strategy.ts";

/**
 * Experience replay with asymmetric cross-entropy: new examples compete only with the classes of their own batch.
 *
 * `CE(batch, over the columns present in the batch) + CE(drawn examples, over all columns)`, so that a new class does not push the
 * logits of the old ones down. The memory is a reservoir; examples that another strategy joins, such as `replay`, count as drawn ones.
 *
 * Caccia et al. 2022, arXiv:2104.05025, section 4.3 (ER-ACE).
 * Differs from the paper: logits are those of the linear head, as in the authors' code for this method, not cosines.
 *
 * @example
 * ```ts
 * import { erAce } from "thalweg";
 * erAce({ capacity: 500 });
 * ```
 */
export const erAce = strategy(
  "erAce",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
  },
  ({ capacity, draw }) => {
    requireWhole("erAce", "capacity", capacity, 1);
    requireWhole("erAce", "draw", draw, 0);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: (): OnlineMemory => ({ buffer: null }),
      batch: (memory: OnlineMemory, batch, context) =>
        replayed(memory, batch, { name: "erAce", capacity, draw, weight: 1 }, context),
      taskLoss(_state, step) {
        const now = currentRows(step);
        const own = present(now.y, now.logits.shape[1]!);
        const mask = now.mask === null ? own : tf.mul(now.mask, own);
        return step.crossEntropy(now.logits, now.y, mask);
      },
      loss: (_state, step) => pastEntropy(step),
    };
  },
);
