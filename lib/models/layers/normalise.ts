import { tf, tfLayers } from "../../engine/index.ts";
import { put, sameLayer } from "../layer.ts";

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
  const spread = (numbers: readonly number[], channels: number): tf.Tensor1D =>
    tf.tensor1d(numbers.length === 1 ? Array(channels).fill(numbers[0]) : (numbers as number[]));
  return {
    options: { mean, deviation },
    shape(input) {
      for (const { length } of [means, deviations])
        if (length !== 1 && length !== input.at(-1))
          throw new RangeError(
            `normalise: one number or one for each of the ${input.at(-1)} channels is required, got ${length}`,
          );
      return input;
    },
    apply(x) {
      const at = (numbers: readonly number[]): number | tf.Tensor =>
        numbers.length === 1 ? numbers[0]! : spread(numbers, numbers.length);
      return tf.div(tf.sub(x, at(means)), at(deviations));
    },
    counterpart(x, name) {
      const channels = x.shape.at(-1)!;
      const layer = tfLayers.layers.batchNormalization({
        name,
        center: false,
        scale: false,
        epsilon: 0,
        trainable: false,
      });
      const given = tf.tidy(() => [spread(means, channels), tf.square(spread(deviations, channels))]);
      const y = put(layer, x, given);
      tf.dispose(given);
      return y;
    },
  };
});
