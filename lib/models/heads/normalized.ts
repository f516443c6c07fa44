import { tf, tfLayers } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { put } from "../layer.ts";
import type { Params } from "../model.ts";
import { grown, type HeadLayer, placed, requireVector } from "./linear.ts";

/** Options of `normalized`. */
export interface NormalizedOptions {
  /** The length of every column's weights. Default 1. */
  readonly length?: number;
}

/**
 * A head without biases whose columns have weights of one fixed length, so that a class met often cannot outgrow the others: only the
 * direction of a column is trained, `length · v / ‖v‖`.
 *
 * Strategies that work on the kernel of a linear head refuse it.
 *
 * Salimans and Kingma 2016, arXiv:1602.07868, with its length not trained; as a head for continual learning Lesort, George and Rish 2021,
 * arXiv:2106.01834.
 *
 * @example
 * ```ts
 * import { headed, mlp, normalized } from "thalweg";
 * headed(mlp({ hidden: [64] }), normalized({ length: 0.5 })).toJSON().head?.name; // "normalized"
 * ```
 */
export function normalized({ length = 1 }: NormalizedOptions = {}): HeadLayer {
  if (!(length > 0 && Number.isFinite(length)))
    throw new RangeError(`normalized: a length above 0 is required, got ${length}`);
  const draw = (rng: Parameters<HeadLayer["init"]>[0], inputs: number, from: number, to: number): Params => ({
    direction: tf.concat(
      Array.from({ length: to - from }, (_, i) =>
        drawWeights("torch", rng.at("kernel", from + i), [inputs, 1], inputs, to),
      ),
      1,
    ),
  });
  const kernelOf = (direction: tf.Tensor): tf.Tensor2D =>
    tf.mul(direction, tf.mul(tf.rsqrt(tf.maximum(tf.sum(tf.square(direction), 0, true), 1e-24)), length));
  return {
    spec: { name: "normalized", options: { length } },
    init: (rng, features, columns) => tf.tidy(() => draw(rng, requireVector(features), 0, columns) as never) as Params,
    apply: (params, features) => placed(features, kernelOf(params.direction as tf.Tensor)),
    grow: (params, rng, columns) => grown(params, rng, columns, "direction", draw),
    counterpart: (x, name, { direction }, columns) =>
      tf.tidy(() => {
        const chosen = tf.gather(kernelOf(direction as tf.Tensor), tf.tensor1d([...columns], "int32"), 1);
        const options = { name, units: columns.length, useBias: false, kernelInitializer: "zeros" } as const;
        return put(tfLayers.layers.dense(options), x, [chosen]) as never;
      }),
  };
}
