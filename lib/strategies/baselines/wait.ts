import { joined } from "../../data/dataset.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import { requireOneOf, requireWhole, strategy } from "../strategy.ts";

/** The first experience that was not trained on yet, and whether the one that is there now is waited on. */
interface Pending {
  readonly from: number;
  readonly waits: boolean;
}

/**
 * Waits until so many experiences have come, then trains on all of them together.
 *
 * While it waits the network predicts as it did before: that is counted by `anytime.cumulativeError`. What is left when the stream ends is trained on then.
 * With `past: "all"` everything that came before is trained on again with it, ever more as the stream goes on; the past is read from the
 * stream. Any other method of this run sees the experience in which training takes place.
 *
 * Implements: P129 ALMA (Anytime Learning at Macroscale)
 * L. Caccia et al. 2022, "On anytime learning at macroscale", arXiv:2106.09563, section 4: the waiting time and replay, over `megabatches`; their
 * cumulative error and memory are `anytime.cumulativeError` and `anytime.cumulativeMemory`, their compute `cost.flops`.
 * Differs from the paper: nets that become larger with the data are other methods' business (`derExpand`), its mixtures of experts are not here.
 *
 * @example
 * ```ts
 * import { digits, megabatches, mlp, wait } from "thalweg";
 * megabatches(digits(), 20).learn(mlp()).by(wait({ experiences: 5 })).name; // "wait"
 * ```
 */
export const wait = strategy(
  "wait",
  {
    /** Experiences that are waited for; 1 trains on each as it comes. */
    experiences: 5,
    /** Whether what was trained on before comes again. */
    past: "none" as "none" | "all",
  },
  ({ experiences, past }) => {
    requireWhole("wait", "experiences", experiences, 1);
    requireOneOf("wait", "past", past, ["none", "all"]);
    return {
      tokens: true,
      batch: tasksByColumn,
      init: (): Pending => ({ from: 0, waits: false }),
      beforeExperience({ from, waits }: Pending, { index }, { stream }): Pending {
        const first = waits ? from : index;
        return { from: first, waits: index - first + 1 < experiences && index < stream.length - 1 };
      },
      data({ from, waits }: Pending, { index }, { stream }) {
        if (waits) return null;
        const first = past === "all" ? 0 : from;
        return joined(Array.from({ length: index - first + 1 }, (_, i) => stream.experience(first + i).train));
      },
    };
  },
  ["boundary"],
);
