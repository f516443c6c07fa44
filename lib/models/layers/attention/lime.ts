import { type Rng, tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import { wholeOrPiece } from "../../parts/attending.ts";
import { type BlockOptions, blockOf, enteringAs } from "../../parts/block.ts";
import { leave, leftBy } from "../../parts/depths.ts";

/** Options of `lime`: those of a block of a transformer. */
export interface LimeOptions extends BlockOptions {}

/**
 * A block of a transformer whose heads of keys and values are trained mixtures of those that this and all `lime` blocks before it make of their inputs.
 *
 * A place can look at what the places before were in any earlier layer, where `transformer` shows it the layer below alone. Head h of keys has
 * `Σ r[h, l, g] K[l, g]` over the layers l up to its own and their heads g, and of values the same with the same numbers; then keys are turned and kept as ever, so
 * that a cache has the same size. Numbers of the own layer begin as the identity, those of earlier layers uniform within `±√(3 / (layers · heads))`.
 * Blocks with other heads or widths than the `lime` blocks before are refused.
 *
 * Implements: P258 LIMe layer-integrated memory
 * Gerasimov et al. 2025, "You do not fully utilize transformer's representation capacity", arXiv:2502.09245, section 3, and the authors' program (static router).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 48).lime(4).lime(4).features([32]); // [32, 48]
 * ```
 */
export const lime = sameLayer(
  "lime",
  (heads: number, options: LimeOptions = {}) => {
    const block = blockOf("lime", heads, options);
    const { kvHeads } = block;
    const shapeOf = (units: number): readonly number[] => {
      const { keyWidth = units / heads, valueWidth = units / heads } = options;
      return [kvHeads, keyWidth, valueWidth];
    };
    return {
      options: block.options,
      shape(input, remembered = new Map()) {
        block.fits(input);
        const all = leave<readonly number[]>("lime", shapeOf(input[1]!), remembered);
        if (all.some((shape) => String(shape) !== String(all[0])))
          throw new RangeError(
            `lime: blocks with as many heads of as many keys and values are required, got ${all.map(([count, ...widths]) => `${count} of ${widths.join(" and ")}`).join(", ")}`,
          );
        return input;
      },
      init: (rng, input, remembered) => {
        const before = leftBy("lime", remembered).length;
        return {
          ...block.init(rng, input),
          ...(before > 0 && { mixture: router(rng.at("mixture"), kvHeads, before) }),
        };
      },
      ...wholeOrPiece(block.goesOn, (x, params, mode, going, remembered) =>
        block.run(enteringAs(x), params, mode, {
          going,
          remade(key, value) {
            const all = leave("lime", tf.concat([key, value], 3), remembered);
            if (all.length === 1) return [key, value];
            const [mixedKey, mixedValue] = tf.split(
              mixed(all, params.mixture as tf.Tensor2D),
              [key.shape[3]!, value.shape[3]!],
              3,
            );
            return [mixedKey!, mixedValue!];
          },
        }),
      ),
    };
  },
  ["sequence"],
);

/** `[(before + 1) · heads, heads]`: how much each head of a mixture has of each that there is. */
function router(rng: Rng, heads: number, before: number): tf.Tensor {
  const bound = Math.sqrt(3 / ((before + 1) * heads));
  return tf.tidy(() => tf.keep(tf.concat([rng.uniforms([before * heads, heads], -bound, bound), tf.eye(heads)], 0)));
}

/** Heads `[n, places, heads, d]` of several layers, mixed to as many as one has. */
function mixed(all: readonly tf.Tensor[], shares: tf.Tensor2D): tf.Tensor {
  const [n, places, heads, d] = all[0]!.shape as [number, number, number, number];
  const across = tf.transpose(tf.concat([...all], 2), [0, 1, 3, 2]);
  const product = tf.matMul(tf.reshape(across, [n * places * d, all.length * heads]), shares);
  return tf.transpose(tf.reshape(product, [n, places, d, heads]), [0, 1, 3, 2]);
}
