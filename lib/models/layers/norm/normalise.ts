import { tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/** A number for all, or one for each channel. */
export type PerChannel = number | readonly number[];

/**
 * Takes a known mean away and divides by a known deviation, as preprocessing does: each a number, or one for each channel.
 *
 * Nothing is learnt. In the model rather than before it, so that memories hold examples as they came and the saved network takes them so.
 *
 * @throws RangeError when a deviation is not above 0, or there are not as many numbers as channels.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().normalise(0.1307, 0.3081).flatten().dense(128).relu(); // MNIST's
 * ```
 */
export const normalise = sameLayer("normalise", (mean: PerChannel, deviation: PerChannel) => {
  const [means, deviations] = [[mean].flat(), [deviation].flat()] as [number[], number[]];
  if (!means.every(Number.isFinite)) throw new RangeError(`normalise: finite means are required, got ${means}`);
  if (!deviations.every((one) => one > 0 && Number.isFinite(one)))
    throw new RangeError(`normalise: deviations above 0 are required, got ${deviations}`);
  return {
    options: { mean, deviation },
    byPlace: true,
    shape(input) {
      for (const { length } of [means, deviations])
        if (length !== 1 && length !== input.at(-1))
          throw new RangeError(
            `normalise: one number or one for each of the ${input.at(-1)} channels is required, got ${length}`,
          );
      return input;
    },
    apply: (x) => tf.div(tf.sub(x, tf.tensor1d(means)), tf.tensor1d(deviations)),
    counterpart(x, name) {
      const layer = tfLayers.layers.batchNormalization({
        name,
        center: false,
        scale: false,
        epsilon: 0,
        trainable: false,
      });
      const given = tf.tidy(() => {
        const channels = tf.ones([x.shape.at(-1)!]);
        return [tf.mul(channels, tf.tensor1d(means)), tf.mul(channels, tf.square(tf.tensor1d(deviations)))];
      });
      const y = put(layer, x, given);
      tf.dispose(given);
      return y;
    },
  };
});
