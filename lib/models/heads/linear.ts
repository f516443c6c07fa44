import type { Json, Shape } from "../../data/dataset.ts";
import { type Rng, tf, tfLayers } from "../../engine/index.ts";
import { drawBias, drawWeights, type Initial } from "../initial.ts";
import { put } from "../layer.ts";
import type { Params } from "../model.ts";

/** A head: features in, one logit per output column out. It can grow. */
export interface HeadLayer {
  readonly spec: { readonly name: string; readonly options: Json };
  init(rng: Rng, features: Shape, columns: number): Params;
  /** `[n, d] → [n, columns]`, or at each place of a sequence `[n, length, d] → [n, length, columns]`. `model` are the model's tensors. */
  apply(params: Params, features: tf.Tensor, model?: Params): tf.Tensor;
  /** New parameters with more columns; the old columns keep their values. */
  grow(params: Params, rng: Rng, columns: number): Params;
  /** Some of the columns as a layer of `tf.layers`, put on the features. */
  counterpart(
    x: tfLayers.SymbolicTensor,
    name: string,
    params: Params,
    columns: readonly number[],
  ): tfLayers.SymbolicTensor;
}

/**
 * A linear head whose columns are drawn one by one, so that a head that grew equals one that was made whole.
 *
 * A fan-in rule draws each column from its own number; "xavier" depends on how many columns there are when they are drawn.
 */
export function linear(initial: Initial = "torch"): HeadLayer {
  const draw = (rng: Rng, inputs: number, from: number, to: number): Params => {
    const kernels: tf.Tensor[] = [];
    const biases: tf.Tensor[] = [];
    for (let column = from; column < to; column++) {
      kernels.push(drawWeights(initial, rng.at("kernel", column), [inputs, 1], inputs, to));
      biases.push(drawBias(initial, rng.at("bias", column), 1, inputs));
    }
    return { kernel: tf.concat(kernels, 1), bias: tf.concat(biases, 0) };
  };
  return {
    spec: { name: "linear", options: { initial } },
    init: (rng, features, columns) => tf.tidy(() => draw(rng, requireVector(features), 0, columns) as never) as Params,
    apply: ({ kernel, bias }, features) => placed(features, kernel as tf.Tensor2D, bias as tf.Tensor),
    grow: (params, rng, columns) => grown(params, rng, columns, "kernel", draw),
    counterpart: (x, name, { kernel, bias }, columns) =>
      tf.tidy(() => {
        const at = tf.tensor1d([...columns], "int32");
        const chosen = [tf.gather(kernel as tf.Tensor, at, 1), tf.gather(bias as tf.Tensor, at)];
        const layer = tfLayers.layers.dense({ name, units: columns.length, kernelInitializer: "zeros" });
        return put(layer, x, chosen) as never;
      }),
  };
}

/** The width of features that are one vector for each example; throws for others. */
export function requireVector(features: Shape): number {
  if (features.length === 1) return features[0]!;
  throw new RangeError(
    `head: features must be a vector, got shape [${features}]; end the model with flatten() or a dense layer`,
  );
}

/** The product of features with a kernel, for each example or at each place of a sequence, and the bias if there is one. */
export function placed(features: tf.Tensor, kernel: tf.Tensor2D, bias?: tf.Tensor): tf.Tensor {
  const rows =
    features.rank === 2 ? features : tf.reshape(features, [features.size / kernel.shape[0], kernel.shape[0]]);
  const product = tf.matMul(rows as tf.Tensor2D, kernel);
  const logits = bias === undefined ? product : tf.add(product, bias);
  return features.rank === 2 ? logits : tf.reshape(logits, [...features.shape.slice(0, -1), kernel.shape[1]]);
}

/** Parameters with more columns, drawn one by one; `kernel` names the one of shape `[inputs, columns]`. */
export function grown(
  params: Params,
  rng: Rng,
  columns: number,
  kernel: string,
  draw: (rng: Rng, inputs: number, from: number, to: number) => Params,
): Params {
  const [inputs, old] = (params[kernel] as tf.Tensor2D).shape;
  if (columns <= old) throw new RangeError(`head: more than ${old} columns are required to grow, got ${columns}`);
  return tf.tidy(() => {
    const more = draw(rng, inputs, old, columns);
    return Object.fromEntries(
      Object.entries(params).map(([name, now]) => [
        name,
        tf.concat([now as tf.Tensor, more[name] as tf.Tensor], (now as tf.Tensor).rank - 1),
      ]),
    ) as never;
  }) as Params;
}
