/** Other views of examples, made within a step, so that every step sees others. */
import { type Rng, tf } from "../../engine/index.ts";
import { requireNumber, requireWhole } from "../strategy.ts";

/** How views differ from the example. */
export interface ViewOptions {
  /** Moves of an image by up to so many pixels up or down, and left or right; what comes in from outside is 0. */
  readonly shiftPixels: number;
  /** The share of images that is mirrored left to right. */
  readonly flip: number;
  /** Deviation of the noise that is added to every number. */
  readonly noise: number;
  /** The share of numbers that is set to 0. */
  readonly hide: number;
}

/** Throws unless the options of views are sound. */
export function requireViews(where: string, { shiftPixels, flip, noise, hide }: ViewOptions): void {
  requireWhole(where, "shiftPixels", shiftPixels, 0);
  requireNumber(where, "flip", flip, 0, 1);
  requireNumber(where, "noise", noise, 0);
  requireNumber(where, "hide", hide, 0, 1);
}

/** *Traced.* A view of each row, drawn for itself. Rows that are no images are not moved nor mirrored; without randomness they stay as they are. */
export function viewOf(x: tf.Tensor, rng: Rng | null, { shiftPixels, flip, noise, hide }: ViewOptions): tf.Tensor {
  if (rng === null) return x;
  const n = x.shape[0]!;
  const rowwise = (values: tf.Tensor): tf.Tensor => tf.reshape(values, [n, ...x.shape.slice(1).map(() => 1)]);
  let view = x;
  if (x.rank === 4) {
    for (const axis of shiftPixels > 0 ? [1, 2] : []) view = moved(view, axis, shiftPixels, rng.at("shift", axis));
    if (flip > 0) {
      const turned = rowwise(tf.cast(tf.less(rng.at("flip").uniforms([n]), flip), "float32"));
      view = tf.add(tf.mul(tf.reverse(view, [2]), turned), tf.mul(view, tf.sub(1, turned)));
    }
  }
  if (noise > 0) view = tf.add(view, tf.mul(rng.at("noise").normals(x.shape), noise));
  return hide > 0 ? tf.mul(view, shown(x, rng.at("hide"), hide)) : view;
}

/** *Traced.* 0 for the share of numbers that is hidden, else 1. */
export function shown(x: tf.Tensor, rng: Rng, hide: number): tf.Tensor {
  return tf.cast(tf.greaterEqual(rng.uniforms(x.shape), hide), "float32");
}

/** Each image moved along an axis by a whole number of pixels of its own. */
function moved(x: tf.Tensor, axis: number, most: number, rng: Rng): tf.Tensor {
  const n = x.shape[0]!;
  const ways = 2 * most + 1;
  const chosen = tf.floor(tf.mul(rng.uniforms([n]), ways));
  const padded = tf.pad(
    x,
    x.shape.map((_, a) => (a === axis ? [most, most] : [0, 0]) as [number, number]),
  );
  const parts = Array.from({ length: ways }, (_, way) => {
    const own = tf.slice(
      padded,
      x.shape.map((_, a) => (a === axis ? way : 0)),
      x.shape,
    );
    const is = tf.cast(tf.equal(chosen, way), "float32");
    return tf.mul(own, tf.reshape(is, [n, 1, 1, 1]));
  });
  return tf.addN(parts);
}
