/** Natural cubic splines through the places of a sequence, which may lie unevenly in time. */
import { linearScan, scan, tf, withoutGradient } from "../../engine/index.ts";

/**
 * The derivative of the natural cubic spline through the places of `x`, `[n, length, channels]`, at some fractions of the way from each place to the next: `[n, length − 1, fractions,
 * channels]`. `gaps`, `[n, length − 1]`, is the time from place to place; a length of at least 2.
 *
 * The slopes at the places solve `(mᵢ₋₁ + 2 mᵢ)/hᵢ₋₁ + (2 mᵢ + mᵢ₊₁)/hᵢ = 3 (Δᵢ₋₁/hᵢ₋₁² + Δᵢ/hᵢ²)`, with the terms of one side at either end: by elimination forth and back, of which only the diagonal
 * is a loop. No gradient flows to `gaps`.
 */
export function splineDerivatives(x: tf.Tensor, gaps: tf.Tensor, fractions: readonly number[]): tf.Tensor {
  const [n, length, channels] = x.shape as [number, number, number];
  const part = (of: tf.Tensor, from: number, count: number): tf.Tensor =>
    tf.slice(of, [0, from], [n, count, ...of.shape.slice(2)].slice(0, 2));
  const over = withoutGradient(() => tf.div(1, gaps));
  const wide = tf.expandDims(over, 2);
  const steps = tf.sub(part(x, 1, length - 1), part(x, 0, length - 1));
  const steep = tf.mul(steps, tf.mul(3, tf.square(wide)));
  const zero = tf.zeros([n, 1, channels]);
  const asked = tf.add(tf.concat([steep, zero], 1), tf.concat([zero, steep], 1));
  const none = tf.zeros([n, 1]);
  /** What of the equation before is taken from each, and what the diagonal is then. */
  const [taken, diagonal] = withoutGradient(() => {
    const whole = tf.mul(2, tf.add(tf.concat([over, none], 1), tf.concat([none, over], 1)));
    const beside = tf.concat([none, over], 1);
    const along = [1, 0];
    const [, all] = scan(
      (before: tf.Tensor, { d, b }: { readonly d: tf.Tensor; readonly b: tf.Tensor }) => {
        const own = tf.sub(d, tf.div(tf.square(b), before));
        return [own, own] as const;
      },
      tf.ones([n]),
      { d: tf.transpose(whole, along), b: tf.transpose(beside, along) },
      {},
    );
    const own = tf.transpose(all, along);
    return [tf.div(beside, tf.concat([tf.ones([n, 1]), part(own, 0, length - 1)], 1)), own] as const;
  });
  const forth = linearScan(tf.neg(tf.expandDims(taken, 2)), asked);
  const back = withoutGradient(() => tf.neg(tf.div(tf.concat([over, none], 1), diagonal)));
  const slopes = linearScan(tf.expandDims(back, 2), tf.div(forth, tf.expandDims(diagonal, 2)), null, { reverse: true });
  const [before, after] = [part(slopes, 0, length - 1), part(slopes, 1, length - 1)];
  const mean = tf.mul(steps, wide);
  return tf.stack(
    // Hermite's basis: at a fraction s of the way, 6 s (1 − s) Δ/h + (1 − 4 s + 3 s²) m + (3 s² − 2 s) m′
    fractions.map((s) =>
      tf.add(
        tf.mul(mean, 6 * s * (1 - s)),
        tf.add(tf.mul(before, 1 - 4 * s + 3 * s * s), tf.mul(after, 3 * s * s - 2 * s)),
      ),
    ),
    2,
  );
}
