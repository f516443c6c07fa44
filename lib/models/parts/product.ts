/** Products with trained kernels at every place of a sequence. */
import { type Rng, tf } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
import type { Mode, Params } from "../model.ts";

/** The kernel and bias of one product, drawn like those of `dense`, or as if it had `fanIn` inputs. */
export function productParams(rng: Rng, inputs: number, units: number, fanIn = inputs): Params {
  return {
    kernel: drawWeights("torch", rng.at("kernel"), [inputs, units], fanIn, units),
    bias: drawBias("torch", rng.at("bias"), units, fanIn),
  };
}

/** The kernel alone of one product. */
export function kernelParams(rng: Rng, inputs: number, units: number): Params {
  return { kernel: drawWeights("torch", rng.at("kernel"), [inputs, units], inputs, units) };
}

/** `[n, …, inputs] → [n, …, units]` by the kernel, and the bias if there is one, of a part of a layer's parameters. */
export function product(x: tf.Tensor, params: Params, part: string, mode: Mode): tf.Tensor {
  const { kernel, bias } = params[part] as { readonly kernel: tf.Tensor2D; readonly bias?: tf.Tensor };
  const [inputs, units] = kernel.shape;
  const rows = tf.reshape(x, [x.size / inputs, inputs]);
  const y = tf.matMul(rows, kernel);
  const tapped = mode.at(part).tapped(rows, bias === undefined ? y : tf.add(y, bias));
  return tf.reshape(tapped, [...x.shape.slice(0, -1), units]);
}

/** The parameters of a normalisation. */
export function normParams(units: number): Params {
  return { scale: tf.ones([units]), shift: tf.zeros([units]) };
}
