import { nn, tf, tfLayers } from "../../../engine/index.ts";
import { drawBias, drawWeights } from "../../initial.ts";
import { layer, put, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import type { ConvOptions } from "./conv.ts";

/** Options of `depthwiseConv`. */
export interface DepthwiseConvOptions extends Omit<ConvOptions, "groups" | "pad"> {
  /** "same" pads with zeros so that a stride of 1 keeps the size; "valid" does not pad. Default "same". */
  readonly pad?: "same" | "valid";
  /** Filters of each channel. Default 1. */
  readonly multiplier?: number;
}

/**
 * A convolution of each channel by itself, with square windows; a convolution of 1×1 after it mixes the channels.
 *
 * Takes images `[n, height, width, channels]`, gives `[n, height′, width′, channels · multiplier]`; the filters of a channel lie side by
 * side. Howard et al. 2017, arXiv:1704.04861, section 3.1.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3).depthwiseConv(5).conv(16, 1).features([28, 28, 1]); // [28, 28, 16]
 * ```
 */
export const depthwiseConv = layer(
  "depthwiseConv",
  { accepts: ["image"], gives: "image" },
  (
    window: number,
    {
      multiplier = 1,
      stride = 1,
      pad = "same",
      bias = true,
      initial = "torch",
      dilation = 1,
    }: DepthwiseConvOptions = {},
  ) => {
    const all = { window, multiplier, stride, dilation };
    for (const [name, value] of Object.entries(all)) requireCount("depthwiseConv", name, value);
    if (stride > 1 && dilation > 1)
      throw new RangeError(`depthwiseConv: a stride or a dilation of 1 is required, got ${stride} and ${dilation}`);
    const extent = (window - 1) * dilation + 1;
    const size = (n: number): number =>
      pad === "same" ? Math.ceil(n / stride) : Math.floor((n - extent) / stride) + 1;
    return {
      options: { window, multiplier, stride, pad, bias, initial, dilation },
      shape(input) {
        const [height, width, channels] = input as readonly [number, number, number];
        if (input.length !== 3)
          throw new RangeError(`depthwiseConv: an image [height, width, channels] is required, got shape [${input}]`);
        if (size(height) < 1 || size(width) < 1)
          throw new RangeError(
            `depthwiseConv: an image of at least ${extent}×${extent} is required, got ${height}×${width}; use pad "same" or a smaller window`,
          );
        return [size(height), size(width), channels * multiplier];
      },
      init(rng, [, , channels]): Params {
        const fanIn = window * window;
        const kernel = drawWeights(
          initial,
          rng.at("kernel"),
          [window, window, channels!, multiplier],
          fanIn,
          fanIn * multiplier,
        );
        return bias ? { kernel, bias: drawBias(initial, rng.at("bias"), channels! * multiplier, fanIn) } : { kernel };
      },
      apply(given, params, mode) {
        const x = mode.into(given);
        const y = nn.convolve(x, params.kernel as tf.Tensor, { stride, dilation, pad, depthwise: true });
        return mode.tapped(x, bias ? tf.add(y, params.bias as tf.Tensor) : y);
      },
      counterpart(x, name, { kernel, bias: added }) {
        // that of tf.layers takes a rate and does not heed it
        if (dilation > 1)
          throw new TypeError(
            "layersModel: layers that tf.layers has too are required, got depthwiseConv with a dilation; save the network as ONNX",
          );
        const options = { name, kernelSize: window, depthMultiplier: multiplier, strides: stride, padding: pad };
        const more = { useBias: bias, depthwiseInitializer: "zeros" } as const;
        return put(tfLayers.layers.depthwiseConv2d({ ...options, ...more } as never), x, [kernel, added]);
      },
    };
  },
);
