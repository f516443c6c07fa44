import { tf, tfLayers } from "../../../engine/index.ts";
import { drawBias, drawWeights, type Initial } from "../../initial.ts";
import { layer, put, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";

/** Options of `conv`. */
export interface ConvOptions {
  /** Step between windows, in pixels. Default 1. */
  readonly stride?: number;
  /** "same" pads with zeros so that a stride of 1 keeps the size; "valid" does not pad. Default "same". */
  readonly pad?: "same" | "valid";
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
  /** How weights begin. Default "torch". */
  readonly initial?: Initial;
}

/**
 * A convolution over images with square windows.
 *
 * Takes images `[n, height, width, channels]`, gives `[n, height′, width′, filters]`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(32, 3).relu().pool(2);
 * ```
 */
export const conv = layer(
  "conv",
  { accepts: ["image"], gives: "image" },
  (filters: number, window: number, { stride = 1, pad = "same", bias = true, initial = "torch" }: ConvOptions = {}) => {
    requireCount("conv", "filters", filters);
    requireCount("conv", "window", window);
    requireCount("conv", "stride", stride);
    const size = (n: number): number =>
      pad === "same" ? Math.ceil(n / stride) : Math.floor((n - window) / stride) + 1;
    return {
      options: { filters, window, stride, pad, bias, initial },
      shape(input) {
        const [height, width] = input;
        if (input.length !== 3)
          throw new RangeError(`conv: an image [height, width, channels] is required, got shape [${input}]`);
        if (size(height!) < 1 || size(width!) < 1) {
          throw new RangeError(
            `conv: an image of at least ${window}×${window} is required, got ${height}×${width}; use pad "same" or a smaller window`,
          );
        }
        return [size(height!), size(width!), filters];
      },
      init(rng, [, , channels]): Params {
        const fanIn = window * window * channels!;
        const shape = [window, window, channels!, filters];
        const kernel = drawWeights(initial, rng.at("kernel"), shape, fanIn, window * window * filters);
        return bias ? { kernel, bias: drawBias(initial, rng.at("bias"), filters, fanIn) } : { kernel };
      },
      apply(x, params, mode) {
        const y = tf.conv2d(x as tf.Tensor4D, params.kernel as tf.Tensor4D, stride, pad);
        return mode.tapped(x, bias ? tf.add(y, params.bias as tf.Tensor) : y);
      },
      counterpart(x, name, { kernel, bias: added }) {
        const options = { filters, kernelSize: window, strides: stride, padding: pad, useBias: bias };
        return put(tfLayers.layers.conv2d({ name, ...options, kernelInitializer: "zeros" }), x, [kernel, added]);
      },
    };
  },
);
