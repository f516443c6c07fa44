/** Fully connected layers as matrices with their biases as a last row. */
import { tf } from "../../engine/index.ts";
import type { Flat } from "./subset.ts";

/** A fully connected layer by where its tensors lie, with the height of its matrix. */
export interface WholeLayer {
  readonly layer: string;
  readonly biased: boolean;
  readonly inputs: number;
  readonly outputs: number;
  /** Inputs, and one more where there is a bias. */
  readonly wide: number;
}

/** The fully connected layers among some tensors. */
export function layersOf(flat: Flat): WholeLayer[] {
  return Object.keys(flat).flatMap((path) => {
    const kernel = flat[path]!;
    if (!path.endsWith("kernel") || kernel.rank !== 2) return [];
    const layer = path.slice(0, -"/kernel".length);
    const [inputs, outputs] = kernel.shape as [number, number];
    const biased = `${layer}/bias` in flat;
    return [{ layer, biased, inputs, outputs, wide: inputs + (biased ? 1 : 0) }];
  });
}

/** The gradient of a layer as one matrix. */
export function wholeGradient(flat: Flat, { layer, biased, outputs }: WholeLayer): tf.Tensor2D {
  const kernel = flat[`${layer}/kernel`] as tf.Tensor2D;
  return biased ? tf.concat([kernel, tf.reshape(flat[`${layer}/bias`]!, [1, outputs])], 0) : kernel;
}

/** A step of such a matrix as steps of the layer's tensors. */
export function wholeStep(whole: tf.Tensor2D, { layer, biased, inputs, outputs }: WholeLayer): Flat {
  return {
    [`${layer}/kernel`]: tf.slice(whole, [0, 0], [inputs, outputs]),
    ...(biased && { [`${layer}/bias`]: tf.reshape(tf.slice(whole, [inputs, 0], [1, outputs]), [outputs]) }),
  };
}
