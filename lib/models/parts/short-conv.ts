/** A causal convolution of each channel over the last few places. */
import { type Rng, tf } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
import type { Params } from "../model.ts";

/** The filters, `[taps, channels]`, the last tap for the place itself, and a bias. */
export const shortConvParams = (rng: Rng, channels: number, taps: number): Params => ({
  kernel: drawWeights("torch", rng.at("kernel"), [taps, channels], taps, taps),
  bias: drawBias("torch", rng.at("bias"), channels, taps),
});

/**
 * What the filters give for `x`, `[n, length, channels]`, and the `taps − 1` places that the next piece sees. `window` are those of the piece before, zeros if there are none;
 * `keep`, `[n, length]`, is 0 where a new sequence begins, whose places see none before it.
 */
export function shortConv(
  x: tf.Tensor,
  params: Params,
  window: tf.Tensor | null,
  keep: tf.Tensor | null,
): readonly [tf.Tensor, tf.Tensor] {
  const [n, length, channels] = x.shape as [number, number, number];
  const { kernel, bias } = params as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  const before = kernel.shape[0]! - 1;
  const behind = tf.concat([window ?? tf.zeros([n, before, channels]), x], 1);
  const from = (of: tf.Tensor, at: number, count: number): tf.Tensor =>
    tf.slice(of, [0, at, 0], [n, count, of.shape[2]!]);
  const tap = (k: number): tf.Tensor => tf.slice(kernel, [before - k, 0], [1, channels]);
  const marks = keep && tf.concat([tf.ones([n, before, 1]), tf.expandDims(keep, 2)], 1);
  let y = tf.add(tf.mul(x, tap(0)), bias);
  let goes: tf.Tensor | null = null;
  for (let back = 1; back <= before; back++) {
    let seen = from(behind, before - back, length);
    if (marks) {
      const own = from(marks, before - back + 1, length);
      goes = goes ? tf.mul(goes, own) : own;
      seen = tf.mul(seen, goes);
    }
    y = tf.add(y, tf.mul(seen, tap(back)));
  }
  let rest = from(behind, length, before);
  if (marks && before > 0) {
    // what the next piece sees is of its own sequence: nothing from before the last mark
    const after = tf.cumprod(from(marks, length, before), 1, true, true);
    rest = tf.mul(rest, after);
  }
  return [y, rest];
}
