import { needShare, needWhole } from "../../data/options.ts";
import { batching, type Shrink } from "../batching.ts";
import { randomAugment } from "../parts/random-augment.ts";
import { shareDone } from "../parts/share.ts";

/**
 * A curriculum from coarse and plain to fine and changed: images begin with their low frequencies alone, and are augmented ever more strongly.
 *
 * Images are cropped in the frequency domain, to `bands` of their side in turn, for the `parts` of the examples of an experience: the Fourier transform
 * is cut to its middle and transformed back, which gives a smaller image with all that it can hold of the large one. Two random operations
 * change each image (RandAugment), whose strength rises by equal steps from 0 to `strength` over the experience. The model must take every size: it ends with
 * pooling over the whole image. Images are evaluated as they are.
 *
 * Implements: P053 EfficientTrain
 * Wang et al. 2023, "EfficientTrain: exploring generalized curriculum learning for training visual backbones", arXiv:2211.09703, section 4 and
 * table 4: bands of 160, 192 and 224 of 224 pixels for 60, 20 and 20 % of training, strength from 0 to 9 of 10.
 * Differs from the paper: the operations are turning, shearing, moving, brightness and contrast, not all 14 of RandAugment; the mean of an image is kept.
 *
 * @example
 * ```ts
 * import { efficientTrain } from "thalweg";
 * const { side } = efficientTrain().plan;
 * const at = (seen: number) => ({ step: 0, steps: 9, epoch: 0, experience: 0, taken: 0, seen, examples: 100, epochs: 1, batch: 5 });
 * [0, 60, 80].map((seen) => side!(at(seen), 224)); // [160, 192, 224]
 * ```
 */
export const efficientTrain = batching(
  "efficientTrain",
  {
    /** Sides of the part of the spectrum that is kept, as shares of the images' side. */
    bands: [160 / 224, 192 / 224, 1] as readonly number[],
    /** The part of the examples that each has. */
    parts: [0.6, 0.2, 0.2] as readonly number[],
    /** How strong the augmentation is at the end, of 10. */
    strength: 9,
    /** Random operations on each image. */
    operations: 2,
  },
  ({ bands, parts, strength, operations }) => {
    needWhole("efficientTrain", "operations", operations, 0);
    needShare("efficientTrain", "strength / 10", strength / 10);
    if (bands.length !== parts.length || bands.length === 0 || bands.some((band) => !(band > 0 && band <= 1)))
      throw new RangeError(
        `efficientTrain: as many bands in (0, 1] as parts are required, got [${bands}] for [${parts}]`,
      );
    const whole = parts.reduce((sum, part) => sum + part, 0);
    const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, part) => sum + part, 0) / whole);
    return {
      images: true,
      side(moment, from) {
        const done = shareDone(moment);
        const stage = ends.findIndex((end) => done < end - 1e-9);
        return Math.max(1, Math.round(from * bands[stage < 0 ? bands.length - 1 : stage]!));
      },
      shrink: lowFrequencies,
      view: (row, out, shape, rng, moment) =>
        randomAugment(row, out, shape, { count: operations, strength: (shareDone(moment) * strength) / 10 }, rng),
    };
  },
);

/**
 * The map of `from` places to the `to` of their lowest frequencies: `A[m, j] = 1/from · Σₖ exp(2πi k (m/to − j/from))` for the `to` whole
 * numbers `k` from `−⌊to/2⌋`.
 */
export function lowFrequencies(from: number, to: number): Shrink {
  const [real, imaginary] = [new Float32Array(to * from), new Float32Array(to * from)];
  const first = -Math.floor(to / 2);
  for (let m = 0; m < to; m++)
    for (let j = 0; j < from; j++) {
      let [a, b] = [0, 0];
      for (let k = first; k < first + to; k++) {
        const angle = 2 * Math.PI * k * (m / to - j / from);
        a += Math.cos(angle);
        b += Math.sin(angle);
      }
      real[m * from + j] = a / from;
      imaginary[m * from + j] = b / from;
    }
  return { real, imaginary };
}
