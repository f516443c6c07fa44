/** Bases of matrices, and their inverse roots, as products alone: all of it can be part of a compiled step. */
import { scan, tf } from "../../engine/index.ts";

/**
 * An orthonormal basis of the columns of a matrix `[n, k]`, one after the other (Gram and Schmidt, each projected twice): the Q of its QR
 * factors with a positive diagonal.
 */
export function orthonormal(of: tf.Tensor2D): tf.Tensor2D {
  const [rows, columns] = of.shape;
  type Column = { readonly v: tf.Tensor; readonly at: tf.Tensor };
  const pass = (q: tf.Tensor, { v, at }: Column): readonly [tf.Tensor, Record<string, never>] => {
    let u = tf.reshape(v, [rows, 1]) as tf.Tensor2D;
    for (let time = 0; time < 2; time++) {
      u = tf.sub(u, tf.matMul(q as tf.Tensor2D, tf.matMul(q as tf.Tensor2D, u, true, false)));
      u = tf.div(u, tf.maximum(tf.norm(u), 1e-30));
    }
    return [tf.add(q, tf.matMul(u, tf.reshape(at, [1, columns]))), {}];
  };
  const places: Column = { v: tf.transpose(of), at: tf.eye(columns) };
  return scan(pass, tf.zeros([rows, columns]) as tf.Tensor, places, {})[0] as tf.Tensor2D;
}

/**
 * `A^(−1/p)` of a symmetric positive matrix by Newton's coupled iteration `M ← Tᵖ M, X ← X T` with `T = ((p + 1) − M) / p`.
 *
 * `ridge`, a share of a bound of the largest eigenvalue, is added on the diagonal first. Guo and Higham 2006, "A Schur–Newton method for the
 * matrix pth root and its inverse"; thirty rounds come to the rounding of single precision for condition numbers up to about a million.
 */
export function inverseRoot(of: tf.Tensor2D, p: 2 | 4, ridge = 0, rounds = 30): tf.Tensor2D {
  const one = tf.eye(of.shape[0]);
  // for a symmetric matrix the greatest sum of a row bounds every eigenvalue
  const most = tf.maximum(tf.max(tf.sum(tf.abs(of), 1)), 1e-30);
  const a = tf.add(of, tf.mul(one, tf.mul(most, ridge)));
  const scale = tf.div((1 + p) / 2, tf.mul(most, 1 + ridge));
  type Pair = { readonly m: tf.Tensor2D; readonly x: tf.Tensor2D };
  const pass = ({ m, x }: Pair, _: tf.Tensor, unit: tf.Tensor): readonly [Pair, Record<string, never>] => {
    const t = tf.div(tf.sub(tf.mul(unit, p + 1), m), p) as tf.Tensor2D;
    const square = tf.matMul(t, t);
    return [{ m: tf.matMul(p === 2 ? square : tf.matMul(square, square), m), x: tf.matMul(x, t) }, {}];
  };
  const first: Pair = {
    m: tf.mul(a, scale) as tf.Tensor2D,
    x: tf.mul(one, tf.pow(scale, 1 / p)) as tf.Tensor2D,
  };
  return scan(pass, first, tf.zeros([rounds]) as tf.Tensor, one as tf.Tensor)[0].x;
}
