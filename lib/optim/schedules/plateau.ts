import { needOneOf, needShare, needWhole } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";

/** What it remembers. A type, so that it is plain data. */
type Memory = { readonly best: number; readonly bad: number; readonly rest: number; readonly factor: number };

/**
 * A learning rate that is lowered when the training loss has stopped falling.
 *
 * It is told the mean loss of each pass over the experience, or of every so many steps. After more than `patience` of these without one
 * that is lower than the best by the threshold, the rate is multiplied by `factor`, and `cooldown` of them are not counted. This is
 * PyTorch's `ReduceLROnPlateau` in its mode "min". Every experience begins anew, at the whole rate.
 *
 * After Bengio 2012, arXiv:1206.5533, section 3.1.1, and PyTorch's `torch.optim.lr_scheduler.ReduceLROnPlateau`.
 * Differs from the paper: PyTorch also leaves out falls of the rate below 1e-8; here `floor`, a share of the rate, is the only limit.
 *
 * @example
 * ```ts
 * import { plateau } from "thalweg";
 * const { factor, listens } = plateau({ patience: 0, factor: 0.5 });
 * const now = { step: 0, steps: 9, epoch: 0, experience: 0, taken: 0, seen: 0, examples: 9, epochs: 9, batch: 1 };
 * const told = [1, 2].reduce((state, loss) => listens!.told(state, { steps: 1, loss, terms: {}, examples: 1 }, now), listens!.begin());
 * factor(now, told); // 0.5
 * ```
 */
export const plateau = schedule(
  "plateau",
  {
    /** What the rate is multiplied by, in (0, 1). */
    factor: 0.1,
    /** How many times in a row the loss may fail to improve. */
    patience: 10,
    /** How much lower counts as an improvement: a share of the best loss, or a difference from it. */
    threshold: 1e-4,
    thresholdMode: "relative" as "relative" | "absolute",
    /** How many times after a fall are not counted. */
    cooldown: 0,
    /** The lowest factor, a share of the rate. */
    floor: 0,
    /** It is told after every so many steps; 0: after every pass. Steps run together where it is a multiple of 16. */
    everySteps: 0,
  },
  ({ factor, patience, threshold, thresholdMode, cooldown, floor, everySteps }) => {
    needShare("plateau", "factor", factor, "open");
    needShare("plateau", "floor", floor);
    needWhole("plateau", "patience", patience, 0);
    needWhole("plateau", "cooldown", cooldown, 0);
    needWhole("plateau", "everySteps", everySteps, 0);
    needOneOf("plateau", "thresholdMode", thresholdMode, ["relative", "absolute"]);
    const begin = (): Memory => ({ best: Number.MAX_VALUE, bad: 0, rest: 0, factor: 1 });
    return {
      factor: (_moment, state: Memory = begin()) => state.factor,
      listens: {
        every: everySteps === 0 ? "epoch" : everySteps,
        begin,
        enter: begin,
        told({ best, bad, rest, factor: now }: Memory, { loss }): Memory {
          const better = loss < (thresholdMode === "relative" ? best * (1 - threshold) : best - threshold);
          const waited = rest > 0 ? 0 : better ? 0 : bad + 1;
          const lowest = better ? loss : best;
          if (waited <= patience) return { best: lowest, bad: waited, rest: Math.max(0, rest - 1), factor: now };
          return { best: lowest, bad: 0, rest: cooldown, factor: Math.max(floor, now * factor) };
        },
      },
    };
  },
);
