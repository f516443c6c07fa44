/** A causal convolution of each channel over some places. */
import { type Rng, tf } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
import type { Params } from "../model.ts";

/** The filters, `[taps, channels]`, the last tap for the place itself, and a bias unless it is left out. */
export const shortConvParams = (rng: Rng, channels: number, taps: number, bias = true): Params => ({
  kernel: drawWeights("torch", rng.at("kernel"), [taps, channels], taps, taps),
  ...(bias && { bias: drawBias("torch", rng.at("bias"), channels, taps) }),
});

/**
 * What the filters give for `x`, `[n, length, channels]`, their taps `dilation` places apart, and the `(taps − 1) · dilation` places that the next piece sees. `window` are those of
 * the piece before, zeros if there are none; `keep`, `[n, length]`, is 0 where a new sequence begins, whose places see none before it.
 */
export function shortConv(
  x: tf.Tensor,
  params: Params,
  window: tf.Tensor | null,
  keep: tf.Tensor | null,
  dilation = 1,
): readonly [tf.Tensor, tf.Tensor] {
  const [n, length, channels] = x.shape as [number, number, number];
  const { kernel, bias } = params as { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor };
  const taps = kernel.shape[0]!;
  const before = (taps - 1) * dilation;
  const behind = tf.concat([window ?? tf.zeros([n, before, channels]), x], 1);
  const from = (of: tf.Tensor, at: number, count: number): tf.Tensor =>
    tf.slice(of, [0, at, 0], [n, count, of.shape[2]!]);
  const tap = (back: number): tf.Tensor => tf.slice(kernel, [taps - 1 - back / dilation, 0], [1, channels]);
  const marks = keep && tf.concat([tf.ones([n, before, 1]), tf.expandDims(keep, 2)], 1);
  let y = tf.mul(x, tap(0));
  if (bias !== undefined) y = tf.add(y, bias);
  let goes: tf.Tensor | null = null;
  for (let back = 1; back <= before; back++) {
    if (marks) {
      const own = from(marks, before - back + 1, length);
      goes = goes ? tf.mul(goes, own) : own;
    }
    if (back % dilation !== 0) continue;
    const seen = from(behind, before - back, length);
    y = tf.add(y, tf.mul(goes ? tf.mul(seen, goes) : seen, tap(back)));
  }
  let rest = from(behind, length, before);
  if (marks && before > 0) {
    // what the next piece sees is of its own sequence: nothing from before the last mark
    rest = tf.mul(rest, tf.cumprod(from(marks, length, before), 1, true, true));
  }
  return [y, rest];
}
