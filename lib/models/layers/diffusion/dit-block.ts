import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { attending } from "../../parts/attending.ts";
import { conditionIn } from "../../parts/conditioned.ts";
import { modulated, modulationParams, modulations, standardised } from "../../parts/modulation.ts";
import { feedForward } from "../attention/feed-forward.ts";

/** Options of `ditBlock`. */
export interface DitBlockOptions {
  /** Width of the inner dense layer, in widths. Default 4. */
  readonly widen?: number;
}

/**
 * A block of a diffusion transformer: attention and two dense layers, each normalised before, and scaled, shifted and gated by the time and the class.
 *
 * `x + g₁ · A(norm(x) · (1 + s₁) + b₁)`, then the same with the dense layers. The six vectors are a product with what `conditions` remembered, which begins at 0:
 * at first nothing is added. Peebles and Xie 2023, arXiv:2212.09748, section 3.2, "adaLN-Zero".
 *
 * @throws RangeError where no `conditions` are before it, or the heads do not divide the width.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conditions(16).patches(2).dense(16).positions().ditBlock(2).features([8, 8, 1]); // [16, 16]
 * ```
 */
export const ditBlock = sameLayer(
  "ditBlock",
  (heads: number, { widen = 4 }: DitBlockOptions = {}) => {
    const attention = attending("ditBlock", heads, { causal: false });
    const feed = feedForward({ widen });
    return {
      options: { heads, widen },
      shape(input, remembered) {
        conditionIn("ditBlock", "condition", remembered);
        attention.fits(input);
        return input;
      },
      init(rng, input, remembered): Params {
        const width = conditionIn("ditBlock", "condition", remembered)[0]!;
        return {
          ...attention.init(rng, input[1]!),
          ...feed.init!(rng, input),
          modulation: modulationParams(width, 6 * input[1]!),
        };
      },
      apply(x, params, mode, remembered) {
        const condition = conditionIn("ditBlock", "condition", remembered);
        const [b1, s1, g1, b2, s2, g2] = modulations(condition, params, mode, 6, 3) as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        const entering = modulated(standardised(x), b1, s1);
        const [seen] = attention.attend({ query: entering, key: entering, value: entering }, params, mode);
        const sum = tf.add(x, tf.mul(g1, seen));
        return tf.add(sum, tf.mul(g2, feed.apply(modulated(standardised(sum), b2, s2), params, mode)));
      },
    };
  },
  ["sequence"],
);
