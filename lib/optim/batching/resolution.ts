import { needShare, needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";
import { shareDone } from "../parts/share.ts";

/**
 * Training begins with small images, which grow in stages: progressive resizing.
 *
 * The experience is divided into `stages` of equal parts of its examples; the side of the images goes from `first` times theirs to their own by
 * equal steps, to whole multiples of `multiple` pixels. Images are made smaller by means over areas. The model must take every size: it ends
 * with pooling over the whole image. Every size is a program of its own. Images are evaluated as they are.
 *
 * Tan and Le 2021, "EfficientNetV2", arXiv:2104.00298, algorithm 1.
 * Differs from the paper: regularisation does not grow with the images.
 *
 * @example
 * ```ts
 * import { resolution } from "thalweg";
 * const { side } = resolution({ first: 0.5, stages: 3 }).plan;
 * const at = (seen: number) => ({ step: 0, steps: 9, epoch: 0, experience: 0, taken: 0, seen, examples: 30, epochs: 1, batch: 5 });
 * [0, 10, 20].map((seen) => side!(at(seen), 32)); // [16, 24, 32]
 * ```
 */
export const resolution = batching(
  "resolution",
  {
    /** The first side, as a share of the images'. */
    first: 0.5,
    /** How many sizes there are. */
    stages: 4,
    /** Sides are whole multiples of so many pixels. */
    multiple: 1,
  },
  ({ first, stages, multiple }) => {
    needShare("resolution", "first", first);
    needWhole("resolution", "stages", stages);
    needWhole("resolution", "multiple", multiple);
    return {
      side(moment, from) {
        const stage = Math.min(stages - 1, Math.floor(shareDone(moment) * stages));
        if (stage === stages - 1) return from;
        const wanted = from * (first + ((1 - first) * stage) / (stages - 1));
        return Math.min(from, Math.max(multiple, Math.round(wanted / multiple) * multiple));
      },
    };
  },
);
