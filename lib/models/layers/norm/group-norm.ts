import { nn, type tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import { normParams } from "../../parts/product.ts";

/**
 * Normalises the channels of each example in groups, over all places at once: what batch normalisation is without a batch.
 *
 * One group is layer normalisation of images; as many groups as channels is instance normalisation. Wu and He 2018, arXiv:1803.08494.
 *
 * @throws RangeError when the groups do not divide the channels.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(16, 3).groupNorm(4).relu().features([8, 8, 3]); // [8, 8, 16]
 * ```
 */
export const groupNorm = sameLayer(
  "groupNorm",
  (groups: number, { epsilon = 1e-5 }: { readonly epsilon?: number } = {}) => {
    requireCount("groupNorm", "groups", groups);
    return {
      options: { groups, epsilon },
      shape(input) {
        if (input.at(-1)! % groups !== 0)
          throw new RangeError(
            `groupNorm: a number of groups that divides the ${input.at(-1)} channels is required, got ${groups}`,
          );
        return input;
      },
      init: (_rng, input) => normParams(input.at(-1)!),
      apply: (x, params) => nn.groupNormalise(x, groups, params.scale as tf.Tensor, params.shift as tf.Tensor, epsilon),
    };
  },
);
