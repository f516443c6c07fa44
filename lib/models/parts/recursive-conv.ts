/** Groups of convolutions over a sequence that are used again at each length. */
import { type Rng, tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import type { Params } from "../model.ts";

/** `depth` convolutions of three places, the first from `inputs` numbers to `outputs`, the others of `units`. */
export function groupParams(
  rng: Rng,
  depth: number,
  units: number,
  first: readonly [number, number] = [units, units],
): Params {
  return Object.fromEntries(
    Array.from({ length: depth }, (_, i) => {
      const [from, to] = i === 0 ? first : [units, units];
      const kernel = drawWeights("he", rng.at("kernel", i), [3, from, to], 3 * from, 3 * to);
      return [`conv${i + 1}`, { kernel, bias: tf.zeros([to]) }];
    }),
  );
}

/** One convolution of three places, bordered by zeros: `[n, length, from]` to `[n, length, to]`. */
export function threePlaces(x: tf.Tensor, params: Params | tf.Tensor): tf.Tensor {
  const { kernel, bias } = params as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  const [n, length, from] = x.shape as [number, number, number];
  const y = tf.conv2d(
    tf.reshape(x, [n, length, 1, from]) as tf.Tensor4D,
    tf.reshape(kernel, [3, 1, from, kernel.shape[2]!]) as tf.Tensor4D,
    1,
    "same",
  );
  return tf.add(tf.reshape(y, [n, length, kernel.shape[2]!]), bias);
}

/** Convolutions with rectifiers; what comes into each pair of them is added to what comes out of it. */
export function inPairs(x: tf.Tensor, convs: readonly (Params | tf.Tensor)[]): tf.Tensor {
  let [now, before] = [x, x];
  convs.forEach((conv, i) => {
    const y = threePlaces(now, conv);
    const closes = i % 2 === 1;
    now = tf.relu(closes ? tf.add(y, before) : y);
    if (closes) before = now;
  });
  return now;
}

/** Half as many places: the larger of two. */
export function halved(x: tf.Tensor): tf.Tensor {
  const [n, length, units] = x.shape as [number, number, number];
  return tf.max(tf.reshape(x, [n, length / 2, 2, units]), 2);
}
