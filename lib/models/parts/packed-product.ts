/** Products that keep what came in as bytes for their gradient. */
import { tf } from "../../engine/index.ts";

/** The least number and the range of each group of numbers, `[groups]`; `seen` is 0 before any batch. */
export interface Ranges {
  readonly low: tf.Tensor;
  readonly range: tf.Tensor;
  readonly seen: tf.Tensor;
}

/** Ranges after a batch of rows: its own at first, then a running mean that keeps nine tenths. Columns are in `groups` of equal size, one after the other. */
export function rangesAfter(x: tf.Tensor, { low, range, seen }: Ranges): Ranges {
  const groups = low.shape[0]!;
  const [n, d] = x.shape as [number, number];
  const parts = tf.reshape(x, [n, groups, d / groups]);
  const least = tf.min(parts, [0, 2]);
  const wide = tf.sub(tf.max(parts, [0, 2]), least);
  const blend = (old: tf.Tensor, now: tf.Tensor): tf.Tensor =>
    tf.where(tf.greater(seen, 0), tf.add(tf.mul(old, 0.9), tf.mul(now, 0.1)), now);
  return { low: blend(low, least), range: blend(range, wide), seen: tf.onesLike(seen) };
}

/**
 * `x · kernel + bias` exactly, of whose input a byte for each number is kept until the gradient of the kernel is taken: four of them in a whole number.
 *
 * A number is kept as `round(255 (x − low) / range)`, cut to 0 … 255, by the ranges of its group of columns with this batch in them. The gradients with
 * respect to `x` and the bias are exact.
 */
export function packedProduct(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, ranges: Ranges): tf.Tensor {
  return tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [x, kernel, bias, low, range, seen] = args as [tf.Tensor2D, tf.Tensor2D, ...tf.Tensor[]];
    const now = rangesAfter(x, { low: low!, range: range!, seen: seen! });
    const [n, d] = x.shape;
    const [first, step] = [now.low, tf.maximum(tf.div(now.range, 255), 1e-12)].map((of) => spread(of, d));
    const bytes = tf.clipByValue(tf.round(tf.div(tf.sub(x, first!), step!)), 0, 255);
    const whole = tf.cast(
      tf.pad(bytes, [
        [0, 0],
        [0, (4 - (d % 4)) % 4],
      ]),
      "int32",
    );
    const parts = tf.split(tf.reshape(whole, [n, whole.shape[1]! / 4, 4]), 4, 2);
    const kept = parts.reduce(
      (sum, part, i) => tf.add(sum, tf.mul(i === 3 ? tf.sub(part, int(128)) : part, int(256 ** i))),
      int(0),
    );
    (args.at(-1) as tf.GradSaveFunc)([kernel, kept, first!, step!]);
    // Bytes are made before the product is there, so that nothing of x has to wait for the gradient.
    const tie = tf.mul(tf.cast(tf.slice(tf.reshape(kept, [kept.size]), [0], [1]), "float32"), 0);
    return {
      value: tf.add(tf.matMul(x, kernel), tf.add(bias!, tie)),
      gradFunc: ((dy: tf.Tensor2D, saved: tf.Tensor[]) => {
        const [kernel, kept, first, step] = saved as [tf.Tensor2D, tf.Tensor, tf.Tensor, tf.Tensor];
        const restored = tf.add(tf.mul(unpacked(kept, d), step), first) as tf.Tensor2D;
        return [
          tf.matMul(dy, kernel, false, true),
          tf.matMul(restored, dy, true, false),
          tf.sum(dy, 0),
          ...[low!, range!, seen!].map((of) => tf.zeros(of.shape)),
        ];
      }) as never,
    };
  })(x, kernel, bias, ranges.low, ranges.range, ranges.seen);
}

const int = (value: number): tf.Tensor => tf.scalar(value, "int32");

/** A number for each column from one for each group. */
function spread(of: tf.Tensor, columns: number): tf.Tensor {
  const groups = of.shape[0]!;
  return tf.reshape(tf.tile(tf.reshape(of, [groups, 1]), [1, columns / groups]), [1, columns]);
}

/** The bytes of whole numbers as numbers, `[n, columns]`. */
function unpacked(kept: tf.Tensor, columns: number): tf.Tensor {
  const parts: tf.Tensor[] = [];
  let left = kept;
  for (const i of [3, 2, 1, 0]) {
    const part = i === 0 ? left : tf.floorDiv(left, int(256 ** i));
    left = i === 0 ? left : tf.sub(left, tf.mul(part, int(256 ** i)));
    parts.unshift(i === 3 ? tf.add(part, int(128)) : part);
  }
  const all = tf.cast(tf.concat(parts, 2), "float32");
  const [n, quarters] = kept.shape as [number, number];
  return tf.slice(tf.reshape(all, [n, quarters * 4]), [0, 0], [n, columns]);
}
