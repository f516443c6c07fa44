/** Optimised product quantisation: vectors are turned, cut into parts, and each part becomes the number of its nearest centre. */
import { kMeans, movedCentres, nearestCentres } from "../../data/parts/k-means.ts";
import { type Rng, tf } from "../../engine/index.ts";
import { product, singular, transposed } from "../../engine/linear-algebra.ts";

/** A quantiser on the host: an orthogonal matrix `[width, width]` and the centres of each part, row after row. */
export interface Quantiser {
  readonly width: number;
  readonly rotation: Float64Array;
  readonly centres: readonly Float32Array[];
}

/** A quantiser as tensors: `[width, width]`, and `[codes, part]` for each part. A type, so that it is a tree. */
export type QuantiserTensors = {
  readonly rotation: tf.Tensor;
  readonly centres: { readonly [part: number]: tf.Tensor };
};

/** Where each part begins, and the end: parts differ in size by one at most. */
function bounds(width: number, parts: number): number[] {
  return Array.from({ length: parts + 1 }, (_, m) => Math.round((m * width) / parts));
}

function partOf(rows: ArrayLike<number>, width: number, from: number, to: number): Float32Array {
  const n = rows.length / width;
  const out = new Float32Array(n * (to - from));
  for (let i = 0; i < n; i++) for (let j = from; j < to; j++) out[i * (to - from) + j - from] = rows[i * width + j]!;
  return out;
}

/**
 * Fits a quantiser to rows of `width` numbers: in turn the centres of the turned parts move by Lloyd's rounds, and the rotation becomes the one that
 * brings rows nearest to what their codes give, `R = U Vᵀ` of the decomposition `U S Vᵀ` of `Xᵀ Y` (Ge et al. 2013, algorithm 1, from the identity).
 */
export function fittedQuantiser(
  rows: Float32Array,
  width: number,
  { codebooks, size, rounds }: { readonly codebooks: number; readonly size: number; readonly rounds: number },
  rng: Rng,
): Quantiser {
  const n = rows.length / width;
  const edges = bounds(width, Math.min(codebooks, width));
  const partsOf = (turned: ArrayLike<number>): Float32Array[] =>
    edges.slice(1).map((to, m) => partOf(turned, width, edges[m]!, to));
  let rotation: Float64Array = Float64Array.from({ length: width * width }, (_, i) => +(i % (width + 1) === 0));
  let centres = partsOf(rows).map((part, m) => kMeans(part, part.length / n, size, rng.at("centres", m), 4));
  for (let round = 0; round < rounds; round++) {
    const turned = product(rows, rotation, n, width, width);
    const parts = partsOf(turned);
    centres = centres.map((own, m) => movedCentres(parts[m]!, parts[m]!.length / n, own, 2));
    const given = new Float32Array(n * width);
    for (const [m, part] of parts.entries()) {
      const wide = part.length / n;
      for (const [i, code] of nearestCentres(part, centres[m]!, wide).entries())
        given.set(centres[m]!.subarray(code * wide, (code + 1) * wide), i * width + edges[m]!);
    }
    const { left, right } = singular(product(transposed(rows, n, width), given, width, n, width), width, width);
    if (left.length < width) break; // too few directions to say how the others should be turned
    const next = new Float64Array(width * width);
    for (const [k, u] of left.entries())
      for (let i = 0; i < width; i++) for (let j = 0; j < width; j++) next[i * width + j]! += u[i]! * right[k]![j]!;
    rotation = next;
  }
  const parts = partsOf(product(rows, rotation, n, width, width));
  centres = centres.map((own, m) => movedCentres(parts[m]!, parts[m]!.length / n, own, 4));
  return { width, rotation, centres };
}

/** The quantiser as tensors, which the caller owns. */
export function quantiserTensors({ width, rotation, centres }: Quantiser): QuantiserTensors {
  const edges = bounds(width, centres.length);
  return {
    rotation: tf.tensor2d(Float32Array.from(rotation), [width, width]),
    centres: Object.fromEntries(
      centres.map((own, m) => [
        m,
        tf.tensor2d(own, [own.length / (edges[m + 1]! - edges[m]!), edges[m + 1]! - edges[m]!]),
      ]),
    ),
  };
}

/** *Traced.* The codes of vectors: `[…, width] → [n, parts]`, whole numbers, `n` being all places together. */
export function codesOf({ rotation, centres }: QuantiserTensors, vectors: tf.Tensor): tf.Tensor2D {
  const width = rotation.shape[0]!;
  const turned = tf.matMul(tf.reshape(vectors, [-1, width]) as tf.Tensor2D, rotation as tf.Tensor2D);
  let at = 0;
  const own = Object.values(centres).map((centre) => {
    const part = tf.slice(turned, [0, at], [turned.shape[0], centre.shape[1]!]);
    at += centre.shape[1]!;
    const cross = tf.matMul(part as tf.Tensor2D, centre as tf.Tensor2D, false, true);
    return tf.argMax(tf.sub(tf.mul(cross, 2), tf.sum(tf.square(centre), 1)), 1);
  });
  return tf.stack(own, 1) as tf.Tensor2D;
}

/** *Traced.* The vectors that codes `[n, parts]` stand for, `[n, width]`. */
export function decoded({ rotation, centres }: QuantiserTensors, codes: tf.Tensor): tf.Tensor2D {
  const n = codes.shape[0]!;
  const parts = Object.values(centres).map((centre, m) =>
    tf.gather(centre, tf.reshape(tf.slice(codes, [0, m], [n, 1]), [n])),
  );
  return tf.matMul(tf.concat(parts, 1) as tf.Tensor2D, rotation as tf.Tensor2D, false, true);
}

/** *Traced.* Vectors as their codes give them back, in their own shape. No gradient flows through it. */
export function requantised(quantiser: QuantiserTensors, vectors: tf.Tensor): tf.Tensor {
  return tf.customGrad((given) => ({
    value: tf.reshape(decoded(quantiser, codesOf(quantiser, given as tf.Tensor)), vectors.shape),
    gradFunc: () => tf.zeros(vectors.shape),
  }))(vectors);
}
