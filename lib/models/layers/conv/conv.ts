import { nn, tf, tfLayers } from "../../../engine/index.ts";
import { drawBias, drawWeights, type Initial } from "../../initial.ts";
import { layer, put, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { windows } from "../../parts/windows.ts";

/** Options of `conv`. */
export interface ConvOptions {
  /** Step between windows, in pixels. Default 1. */
  readonly stride?: number;
  /** "same" pads with zeros so that a stride of 1 keeps the size; "valid" does not pad; a number pads each side by it. Default "same". */
  readonly pad?: "same" | "valid" | number;
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
  /** How weights begin. Default "torch". */
  readonly initial?: Initial;
  /** Step between the pixels of a window. Default 1: they are neighbours. */
  readonly dilation?: number;
  /** Whether each filter is shifted and scaled to mean 0 and deviation 1 before it is used (Qiao et al. 2019, arXiv:1903.10520). Default false. */
  readonly standardise?: boolean;
  /** Into how many groups channels and filters are divided, each group by itself. Default 1. */
  readonly groups?: number;
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
  (
    filters: number,
    window: number,
    {
      stride = 1,
      pad = "same",
      bias = true,
      initial = "torch",
      dilation = 1,
      groups = 1,
      standardise = false,
    }: ConvOptions = {},
  ) => {
    for (const [name, value] of Object.entries({ filters, window, stride, dilation, groups }))
      requireCount("conv", name, value);
    if (stride > 1 && dilation > 1)
      throw new RangeError(`conv: a stride or a dilation of 1 is required, got ${stride} and ${dilation}`);
    if (filters % groups !== 0)
      throw new RangeError(`conv: filters that ${groups} groups divide are required, got ${filters}`);
    const extent = (window - 1) * dilation + 1;
    const isNumber = typeof pad === "number";
    if (isNumber) requireCount("conv", "pad", pad, 0);
    const size = (n: number): number =>
      pad === "same" ? Math.ceil(n / stride) : Math.floor((n + (isNumber ? 2 * pad : 0) - extent) / stride) + 1;
    // what is not used does not stand in records: they are those of before
    const rarer = {
      ...(dilation > 1 && { dilation }),
      ...(groups > 1 && { groups }),
      ...(standardise && { standardise }),
    };
    return {
      options: { filters, window, stride, pad, bias, initial, ...rarer },
      shape(input) {
        const [height, width, channels] = input;
        if (input.length !== 3)
          throw new RangeError(`conv: an image [height, width, channels] is required, got shape [${input}]`);
        if (size(height!) < 1 || size(width!) < 1) {
          throw new RangeError(
            `conv: an image of at least ${extent}×${extent} is required, got ${height}×${width}; use pad "same" or a smaller window`,
          );
        }
        if (channels! % groups !== 0)
          throw new RangeError(`conv: channels that ${groups} groups divide are required, got ${channels}`);
        return [size(height!), size(width!), filters];
      },
      init(rng, [, , channels]): Params {
        const fanIn = (window * window * channels!) / groups;
        const shape = [window, window, channels! / groups, filters];
        const kernel = drawWeights(initial, rng.at("kernel"), shape, fanIn, (window * window * filters) / groups);
        return bias ? { kernel, bias: drawBias(initial, rng.at("bias"), filters, fanIn) } : { kernel };
      },
      apply(given, params, mode) {
        const x = mode.into(given);
        const through = (x: tf.Tensor, kernel: tf.Tensor): tf.Tensor =>
          dilation > 1
            ? nn.convolve(isNumber ? bordered(x, pad) : x, kernel, { dilation, pad: isNumber ? "valid" : pad })
            : isNumber
              ? tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, stride, pad, "NHWC", 1, "floor")
              : tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, stride, pad);
        const kernel = standardise ? standardised(params.kernel as tf.Tensor) : (params.kernel as tf.Tensor);
        const y = byGroups(x, kernel, groups, through);
        const rows = (): tf.Tensor =>
          isNumber
            ? windows(bordered(x, pad), window, { stride, dilation, pad: "valid" })
            : windows(x, window, { stride, dilation, pad });
        return mode.tapped(x, bias ? tf.add(y, params.bias as tf.Tensor) : y, rows);
      },
      counterpart(x, name, { kernel, bias: added }) {
        if (groups > 1 || standardise)
          throw new TypeError(
            `layersModel: layers that tf.layers has too are required, got conv with ${groups > 1 ? "groups" : "filters that are standardised"}; save the network as ONNX`,
          );
        const { conv2d, zeroPadding2d } = tfLayers.layers;
        const options = {
          filters,
          kernelSize: window,
          strides: stride,
          padding: isNumber ? "valid" : pad,
          useBias: bias,
          dilationRate: dilation,
        } as const;
        const image = isNumber && pad > 0 ? put(zeroPadding2d({ name: `${name}-pad`, padding: pad }), x) : x;
        return put(conv2d({ name, ...options, kernelInitializer: "zeros" }), image, [kernel, added]);
      },
    };
  },
);

/** Filters of mean 0 and deviation 1; the variance is the unbiased one, as in the authors' program. */
function standardised(kernel: tf.Tensor): tf.Tensor {
  const axes = [0, 1, 2];
  const centred = tf.sub(kernel, tf.mean(kernel, axes, true));
  const count = kernel.size / kernel.shape[3]!;
  const variance = tf.div(tf.sum(tf.square(centred), axes, true), Math.max(1, count - 1));
  return tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-5)));
}

/** The image with zeros around it. */
function bordered(x: tf.Tensor, by: number): tf.Tensor {
  return tf.pad(x, [
    [0, 0],
    [by, by],
    [by, by],
    [0, 0],
  ]);
}

/** Each group of channels with its filters by itself, side by side. */
function byGroups(
  x: tf.Tensor,
  kernel: tf.Tensor,
  groups: number,
  through: (x: tf.Tensor, kernel: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  if (groups === 1) return through(x, kernel);
  const [images, kernels] = [tf.split(x, groups, 3), tf.split(kernel, groups, 3)];
  return tf.concat(
    images.map((image, i) => through(image, kernels[i]!)),
    3,
  );
}
