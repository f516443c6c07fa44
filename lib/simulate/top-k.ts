import { needShare } from "../data/options.ts";
import { type Coded, codec, placeBytes } from "./codec.ts";

/**
 * The largest numbers of a vector with their places; the others are 0.
 *
 * Each number takes 4 bytes, its place as many bits as tell the places of the vector apart. Aji and Heafield 2017, arXiv:1704.05021, section 3.
 *
 * @example
 * ```ts
 * import { random, simulate } from "thalweg";
 * simulate.topK({ share: 0.5 }).coder([], random(0))(Float32Array.of(3, 1, -4, 2)).bytes; // 9
 * ```
 */
export const topK = codec(
  "topK",
  {
    /** The share of the numbers that goes out. */
    share: 0.01,
  },
  ({ share }) => {
    needShare("topK", "share", share);
    return () => (vector) => largest(vector, Math.max(1, Math.round(share * vector.length)));
  },
);

/** The `k` largest numbers of a vector; of equal ones the first. */
export function largest(vector: Float32Array, k: number): Coded {
  const order = Array.from(vector.keys()).sort((a, b) => Math.abs(vector[b]!) - Math.abs(vector[a]!) || a - b);
  const out = new Float32Array(vector.length);
  for (const at of order.slice(0, k)) out[at] = vector[at]!;
  return { vector: out, bytes: 4 * k + placeBytes(k, vector.length) };
}
