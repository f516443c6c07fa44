import { needShare, needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";
import { mirrored, moved } from "../parts/images.ts";

/**
 * Images are cropped and mirrored anew whenever they are seen; with `copies`, several views of each example are in one step.
 *
 * A view is an image of the same size, cut at random out of the image with a border of `pad` zeros, and mirrored left to right with
 * probability `flip`. It is made of every row of a step, replayed ones too; memories keep the example as it is. With `copies: n` the rows of a
 * step are n times the batch. What is drawn belongs to the seed and the step, so a resumed run sees the same.
 *
 * He, Zhang, Ren and Sun 2016, arXiv:1512.03385, section 4.2 (pad 4, flip ½); several views of an example in a batch are those of Hoffer et al.
 * 2020, "Augment your batch", arXiv:1901.09335.
 *
 * @example
 * ```ts
 * import { views } from "thalweg";
 * views({ copies: 2, pad: 4, flip: 0.5 }).spec.name; // "views"
 * ```
 */
export const views = batching(
  "views",
  {
    /** Views of each example in a step. */
    copies: 1,
    /** Pixels of border that an image may be moved into, either way. */
    pad: 0,
    /** The share of views that is mirrored. */
    flip: 0,
  },
  ({ copies, pad, flip }) => {
    needWhole("views", "copies", copies);
    needWhole("views", "pad", pad, 0);
    needShare("views", "flip", flip);
    return {
      images: true,
      views: () => copies,
      view(row, out, shape, rng) {
        const [down, right] = [rng.int(2 * pad + 1) - pad, rng.int(2 * pad + 1) - pad];
        moved(row, out, shape, down, right);
        if (rng.uniform() < flip) mirrored(out, shape);
      },
    };
  },
);
