import { tf, tfLayers } from "../../../engine/index.ts";
import { layer, put } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { goOn } from "../../parts/recurrence.ts";

/** Options of `globalPool`. */
export interface GlobalPoolOptions {
  /** What is kept of each channel. Default "mean". */
  readonly keep?: "mean" | "max";
}

/**
 * Keeps one number of each channel, the mean or the largest over all places: `[height, width, channels]` or `[length, channels]` becomes
 * `[channels]`. Models that end so take examples of any size.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3).relu().globalPool().features([28, 28, 1]); // [8]
 * ```
 */
export const globalPool = layer(
  "globalPool",
  { accepts: ["image", "sequence"], gives: "vector" },
  ({ keep = "mean" }: GlobalPoolOptions = {}) => {
    if (keep !== "mean" && keep !== "max")
      throw new RangeError(`globalPool: keep "mean" or "max" is required, got ${JSON.stringify(keep)}`);
    return {
      options: { keep },
      shape(input) {
        if (input.length !== 2 && input.length !== 3)
          throw new RangeError(
            `globalPool: an image or a sequence of vectors is required, got shape [${input}]; put it before flatten()`,
          );
        return [input.at(-1)!];
      },
      apply(x) {
        const places = x.rank === 4 ? [1, 2] : [1];
        return keep === "mean" ? tf.mean(x, places) : tf.max(x, places);
      },
      ...(keep === "mean" && {
        recurs(x: tf.Tensor, _params: Params, _mode: Mode, states: readonly tf.Tensor[] | null, keep: tf.Tensor) {
          const [n, length, units] = x.shape as [number, number, number];
          const [means, after] = goOn(
            ([count, sum], given) => {
              const next = [tf.add(count!, 1), tf.add(sum!, given)] as const;
              return [tf.div(next[1], next[0]), next];
            },
            states ?? [tf.zeros([n, 1]), tf.zeros([n, units])],
            x,
            {},
            keep,
          );
          return [tf.reshape(tf.slice(means, [0, length - 1], [n, 1]), [n, units]), after] as const;
        },
      }),
      counterpart(x, name) {
        const { globalAveragePooling1d, globalAveragePooling2d, globalMaxPooling1d, globalMaxPooling2d } =
          tfLayers.layers;
        if (x.rank === 3) return put((keep === "mean" ? globalAveragePooling1d : globalMaxPooling1d)({ name }), x);
        return put((keep === "mean" ? globalAveragePooling2d : globalMaxPooling2d)({ name }), x);
      },
    };
  },
);
