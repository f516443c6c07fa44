/** What a condition makes of numbers: it shifts, scales and gates them, and begins by leaving them as they are. */
import { nn, tf } from "../../engine/index.ts";
import type { Mode, Params } from "../model.ts";
import { product } from "./product.ts";

/** The product that makes so many vectors of a condition; it begins at 0. */
export function modulationParams(width: number, outputs: number): Params {
  return { kernel: tf.zeros([width, outputs]), bias: tf.zeros([outputs]) };
}

/** *Traced.* `count` vectors of a condition `[n, width]`, each with as many axes as what it changes. */
export function modulations(
  condition: tf.Tensor,
  params: Params,
  mode: Mode,
  count: number,
  rank: number,
): tf.Tensor[] {
  const all = product(nn.silu(condition), params, "modulation", mode);
  const [n, units] = [all.shape[0]!, all.shape[1]! / count];
  const axes = [n, ...new Array<number>(rank - 2).fill(1), units];
  return tf.split(all, count, 1).map((part) => tf.reshape(part, axes));
}

/** *Traced.* `x · (1 + scale) + shift`. */
export function modulated(x: tf.Tensor, shift: tf.Tensor, scale: tf.Tensor): tf.Tensor {
  return tf.add(tf.mul(x, tf.add(scale, 1)), shift);
}

/** *Traced.* Numbers of each place by their own mean and variance, without a scale and shift of their own. */
export function standardised(x: tf.Tensor): tf.Tensor {
  const units = x.shape.at(-1)!;
  return nn.layerNormalise(x, tf.ones([units]), tf.zeros([units]), 1e-6);
}
