import { tf, tfLayers } from "../../../engine/index.ts";
import { layer, put, requireCount } from "../../layer.ts";
import { repeatedBy } from "../../parts/coarsened.ts";

/** Options of `upsample`. */
export interface UpsampleOptions {
  /**
   * "nearest" repeats each pixel; "bilinear" goes in a straight line from the middle of one to the middle of the next, as PyTorch's without
   * aligned corners. Default "nearest".
   */
  readonly by?: "nearest" | "bilinear";
}

/**
 * Makes images larger by a whole factor: `[height, width, channels]` becomes `[factor · height, factor · width, channels]`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3, { stride: 2 }).upsample(2).conv(1, 3).features([28, 28, 1]); // [28, 28, 1]
 * ```
 */
export const upsample = layer(
  "upsample",
  { accepts: ["image"], gives: "image" },
  (factor: number, { by = "nearest" }: UpsampleOptions = {}) => {
    requireCount("upsample", "factor", factor);
    if (by !== "nearest" && by !== "bilinear")
      throw new RangeError(`upsample: by "nearest" or "bilinear" is required, got ${JSON.stringify(by)}`);
    return {
      options: { factor, by },
      shape(input) {
        if (input.length !== 3)
          throw new RangeError(`upsample: an image [height, width, channels] is required, got shape [${input}]`);
        return [factor * input[0]!, factor * input[1]!, input[2]!];
      },
      apply: (x) => (by === "nearest" ? repeatedBy(x, factor) : blended(x, factor)),
      counterpart(x, name) {
        if (by === "nearest") return put(tfLayers.layers.upSampling2d({ name, size: [factor, factor] }), x);
        throw new TypeError(
          'layersModel: layers that tf.layers has too are required, got upsample by "bilinear"; save the network as ONNX, or use by: "nearest"',
        );
      },
    };
  },
);

/** Rows blended by one product, then columns by another. */
function blended(x: tf.Tensor, factor: number): tf.Tensor {
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  const down = tf.matMul(
    tf.transpose(tf.reshape(x, [n, height, width * channels]), [0, 2, 1]),
    weights(height, factor),
  );
  const tall = tf.reshape(down, [n, width, channels, factor * height]);
  const across = tf.transpose(tall, [0, 3, 2, 1]);
  const wide = product(across, weights(width, factor));
  return tf.transpose(wide, [0, 1, 3, 2]);
}

function product(x: tf.Tensor, by: tf.Tensor2D): tf.Tensor {
  const rows = tf.reshape(x, [x.size / by.shape[0], by.shape[0]]);
  return tf.reshape(tf.matMul(rows, by), [...x.shape.slice(0, -1), by.shape[1]]);
}

/** `[size, factor · size]`: the share that each pixel has in each new one. */
function weights(size: number, factor: number): tf.Tensor2D {
  const wide = factor * size;
  const shares = new Float32Array(size * wide);
  for (let to = 0; to < wide; to++) {
    const at = Math.max(0, (to + 0.5) / factor - 0.5);
    const [low, share] = [Math.floor(at), at - Math.floor(at)];
    for (const [from, weight] of [
      [low, 1 - share],
      [Math.min(low + 1, size - 1), share],
    ] as const)
      shares[from * wide + to] = shares[from * wide + to]! + weight;
  }
  return tf.tensor2d(shares, [size, wide]);
}
