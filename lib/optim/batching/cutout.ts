import { needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";

/**
 * A square of every image is covered with zeros, anew whenever it is seen.
 *
 * The middle of the square lies anywhere in the image, so that a part of it may lie outside. Every row of a step is covered, replayed ones too;
 * memories keep the example as it is. Goes with `views`.
 *
 * DeVries and Taylor 2017, arXiv:1708.04552, section 3.2.
 *
 * @example
 * ```ts
 * import { cutout } from "thalweg";
 * cutout({ side: 8 }).spec.options; // { side: 8 }
 * ```
 */
export const cutout = batching(
  "cutout",
  {
    /** Pixels along the square. */
    side: 8,
  },
  ({ side }) => {
    needWhole("cutout", "side", side);
    return {
      images: true,
      view(row, out, shape, rng) {
        const [height, width, channels] = shape as [number, number, number];
        out.set(row);
        const [top, left] = [rng.int(height) - (side >> 1), rng.int(width) - (side >> 1)];
        for (let y = Math.max(0, top); y < Math.min(height, top + side); y++)
          out.fill(
            0,
            (y * width + Math.max(0, left)) * channels,
            (y * width + Math.min(width, left + side)) * channels,
          );
      },
    };
  },
);
