/** Numbers that our tests and Python programs can make alike: a hash of place and name, as in tests/models/peers/shared.py. */
import { tf } from "thalweg";

/** Numbers within spread / 2 around a centre. */
export function peerNumbers(stream: number, shape: readonly number[], centre = 0, spread = 1): tf.Tensor {
  const salt = Math.imul(stream + 1, 2246822519);
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => {
    let h = Math.imul(i + 1, 2654435761) ^ salt;
    h ^= h >>> 15;
    h = Math.imul(h, 2246822519);
    h ^= h >>> 13;
    h = Math.imul(h, 3266489917);
    h ^= h >>> 16;
    return centre + spread * ((h >>> 0) / 2 ** 32 - 0.5);
  });
  return tf.tensor(values, [...shape]);
}
