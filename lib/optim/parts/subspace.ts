/** Gradients of matrices in a subspace of their smaller side. */
import { type Tree, tf } from "../../engine/index.ts";
import { orthonormal } from "./bases.ts";
import { remaining } from "./moments.ts";

/** Whether a matrix `[inputs, outputs]` is projected from the right: the smaller side is. */
export const fromRight = ([inputs, outputs]: readonly number[]): boolean => inputs! >= outputs!;

/** A matrix in the subspace of `basis` `[smaller side, rank]`: `[inputs, rank]` or `[rank, outputs]`. */
export function into(g: tf.Tensor2D, basis: tf.Tensor2D): tf.Tensor2D {
  return fromRight(g.shape) ? tf.matMul(g, basis) : tf.matMul(basis, g, true, false);
}

/** Back from the subspace to a matrix of a shape. */
export function outOf(low: tf.Tensor2D, basis: tf.Tensor2D, shape: readonly number[]): tf.Tensor2D {
  return fromRight(shape) ? tf.matMul(low, basis, false, true) : tf.matMul(basis, low);
}

/** The first axes as a basis, and a state of zeros for what lies in the subspace. */
export function emptySubspace(shape: readonly [number, number], rank: number) {
  const [inputs, outputs] = shape;
  const right = fromRight(shape);
  const [wide, small] = right ? [inputs, outputs] : [outputs, inputs];
  const own = Math.min(rank, small);
  const low = right ? ([wide, own] as [number, number]) : ([own, wide] as [number, number]);
  return {
    basis: tf.slice(tf.eye(small), [0, 0], [small, own]) as tf.Tensor2D,
    low: tf.zeros(low),
  };
}

/**
 * The singular vectors of the largest singular values of a gradient, on its smaller side, largest first: rounds of orthogonal iteration from a
 * basis. A little of the basis itself is added, so that a gradient of a smaller rank leaves the rest of it where it was.
 */
export function leading(g: tf.Tensor2D, basis: tf.Tensor2D, rounds: number): tf.Tensor2D {
  const square = fromRight(g.shape) ? tf.matMul(g, g, true, false) : tf.matMul(g, g, false, true);
  const little = tf.mul(tf.max(tf.sum(tf.abs(square), 1)), 1e-7);
  let q = basis;
  for (let round = 0; round < rounds; round++) q = orthonormal(tf.add(tf.matMul(square, q), tf.mul(q, little)));
  return q;
}

/** Adam's moments of something, and how much of 1 their weights lack. */
export type Moments = { readonly mean: tf.Tensor; readonly square: tf.Tensor };
export type Left = { readonly left1: tf.Tensor; readonly left2: tf.Tensor };

/** Adam's direction `m̂ / (√v̂ + ε)`, the ε added to the uncorrected root as in GaLore's program, and the next moments. */
export function adamOf(
  g: tf.Tensor,
  had: Moments,
  { left1, left2 }: Left,
  { beta1, beta2, epsilon }: { readonly beta1: number; readonly beta2: number; readonly epsilon: number },
): readonly [direction: tf.Tensor, next: Moments] {
  const mean = tf.add(tf.mul(had.mean, beta1), tf.mul(g, 1 - beta1));
  const square = tf.add(tf.mul(had.square, beta2), tf.mul(tf.square(g), 1 - beta2));
  const size = tf.div(tf.sqrt(left2), left1);
  return [tf.mul(tf.div(mean, tf.add(tf.sqrt(square), epsilon)), size), { mean, square }];
}

/** The corrections of Adam's moments after one more step. */
export function leftAfter(
  { left1, left2 }: Left,
  beta1: number,
  beta2: number,
): Left & { readonly [name: string]: Tree } {
  return { left1: remaining(left1, beta1), left2: remaining(left2, beta2) };
}
