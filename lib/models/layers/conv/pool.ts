import { tf, tfLayers } from "../../../engine/index.ts";
import { layer, put, requireCount } from "../../layer.ts";

/** Options of `pool`. */
export interface PoolOptions {
  /** Step between windows, in pixels. Default: the window. */
  readonly stride?: number;
  /** What is kept of a window. Default "max". */
  readonly keep?: "max" | "mean";
  /** Rows and columns around the image that no window counts: windows may begin there. Default 0. */
  readonly pad?: number;
}

/**
 * Makes images smaller by keeping the largest (or mean) value of each square window.
 *
 * Takes images `[n, height, width, channels]`; a border narrower than a window is dropped.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3).pool(2, { keep: "mean" });
 * ```
 */
export const pool = layer(
  "pool",
  { accepts: ["image"], gives: "image" },
  (window: number, { stride = window, keep = "max", pad = 0 }: PoolOptions = {}) => {
    requireCount("pool", "window", window);
    requireCount("pool", "stride", stride);
    requireCount("pool", "pad", pad, 0);
    const size = (n: number): number => Math.floor((n + 2 * pad - window) / stride) + 1;
    return {
      options: { window, stride, keep, ...(pad > 0 && { pad }) },
      shape(input) {
        const [height, width, channels] = input;
        if (input.length !== 3)
          throw new RangeError(`pool: an image [height, width, channels] is required, got shape [${input}]`);
        if (height! + 2 * pad < window || width! + 2 * pad < window) {
          throw new RangeError(
            `pool: an image of at least ${window}×${window} is required, got ${height}×${width}; pool less or earlier`,
          );
        }
        return [size(height!), size(width!), channels!];
      },
      apply(x) {
        const image = x as tf.Tensor4D;
        const take = keep === "max" ? tf.maxPool : tf.avgPool;
        return pad === 0 ? take(image, window, stride, "valid") : take(image, window, stride, pad, "floor");
      },
      counterpart(x, name) {
        if (pad > 0)
          throw new TypeError(
            `layersModel: layers that tf.layers has too are required, got pool with a pad of ${pad}; save the network as ONNX`,
          );
        const options = { name, poolSize: window, strides: stride };
        const { maxPooling2d, averagePooling2d } = tfLayers.layers;
        return put(keep === "max" ? maxPooling2d(options) : averagePooling2d(options), x);
      },
    };
  },
);
