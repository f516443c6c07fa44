import { tf } from "../../engine/index.ts";

/**
 * Vectors turned by their places: the pairs `(i, i + d/2)` of each head's numbers at place t by the angle `t · base^(−2i/d)`.
 *
 * `x` is `[n, places, heads, d]`; `at`, `[n, places]`, says which places they are, counted from 0 on by default. A product of a turned query with a turned
 * key depends on how far apart they are and not on where they stand. Su et al. 2021, arXiv:2104.09864, equation 34, with the pairs of GPT-NeoX and Llama.
 */
export function rotated(x: tf.Tensor, base: number, at?: tf.Tensor): tf.Tensor {
  const [, places, , d] = x.shape as [number, number, number, number];
  const half = d / 2;
  const rate = (i: number): number => base ** (-i / half);
  const [cos, sin] =
    at === undefined
      ? [Math.cos, Math.sin].map((wave) =>
          tf.tensor3d(
            Float32Array.from({ length: places * half }, (_, k) => wave(Math.floor(k / half) * rate(k % half))),
            [places, 1, half],
          ),
        )
      : [tf.cos, tf.sin].map((wave) =>
          wave(
            tf.mul(tf.reshape(at, [...at.shape, 1, 1]), tf.tensor1d(Array.from({ length: half }, (_, i) => rate(i)))),
          ),
        );
  const [first, second] = tf.split(x, 2, 3) as [tf.Tensor, tf.Tensor];
  return tf.concat(
    [tf.sub(tf.mul(first, cos!), tf.mul(second, sin!)), tf.add(tf.mul(second, cos!), tf.mul(first, sin!))],
    3,
  );
}
