/** States that are matrices, along a sequence in chunks: products of matrices within a chunk, the states between them. */
import { linearScan, scan, tf } from "../../engine/index.ts";

/** The places of a chunk, where a layer does not say another number. */
export const chunkSize = 16;

/** The logarithm of the least share of a state that is kept at a place: with less the numbers within a chunk would leave the range of floats. */
export const leastDecay = -10;

/** `[n, length, heads, d]` in chunks: `[n · heads, chunks, size, d]`, with zeros behind the last place. */
export function inChunks(x: tf.Tensor, size: number): tf.Tensor {
  const [n, length, heads, d] = x.shape as [number, number, number, number];
  const chunks = Math.ceil(length / size);
  const rest = chunks * size - length;
  const whole = rest === 0 ? x : tf.concat([x, tf.zeros([n, rest, heads, d])], 1);
  const cut = tf.transpose(tf.reshape(whole, [n, chunks, size, heads, d]), [0, 3, 1, 2, 4]);
  return tf.reshape(cut, [n * heads, chunks, size, d]);
}

/** The way back: `[n · heads, chunks, size, d]` to `[n, length, heads, d]`. */
export function outOfChunks(x: tf.Tensor, heads: number, length: number): tf.Tensor {
  const [rows, chunks, size, d] = x.shape as [number, number, number, number];
  const n = rows / heads;
  const joined = tf.reshape(tf.transpose(tf.reshape(x, [n, heads, chunks, size, d]), [0, 2, 3, 1, 4]), [
    n,
    chunks * size,
    heads,
    d,
  ]);
  return chunks * size === length ? joined : tf.slice(joined, [0, 0], [n, length]);
}

/** What stood one chunk before; zeros before the first. */
export function chunkBefore(x: tf.Tensor): tf.Tensor {
  const [rows, chunks] = x.shape as [number, number];
  const zeros = tf.zeros([rows, 1, ...x.shape.slice(2)]);
  return chunks === 1 ? zeros : tf.concat([zeros, tf.slice(x, [0, 0], [rows, chunks - 1])], 1);
}

/** A square of ones at and below the diagonal, or only below it. */
export function lowerOnes(size: number, strictly = false): tf.Tensor2D {
  const ones = Float32Array.from({ length: size * size }, (_, i) =>
    Math.floor(i / size) - (i % size) >= (strictly ? 1 : 0) ? 1 : 0,
  );
  return tf.tensor2d(ones, [size, size]);
}

const at = (x: tf.Tensor, place: number): tf.Tensor => {
  const [rows, chunks, , d] = x.shape as [number, number, number, number];
  return tf.slice(x, [0, 0, place, 0], [rows, chunks, 1, d]);
};

/**
 * `qₜᵀ Sₜ` at all places for `Sₜ = diag(exp dₜ) Sₜ₋₁ + kₜ vₜᵀ`: queries and keys `[n, length, heads, keys]`, values `[n, length, heads, values]`, and `d`
 * `[n, length, heads, keys]`, or `[…, 1]` where a whole state decays alike, from `leastDecay` to 0; null for none.
 *
 * Within a chunk place t reads `Σ (qₜ ∘ exp(bₜ − bᵣ))ᵀ kₛ …` as one product of matrices, b being the sums of d in the chunk; both sides are taken from the
 * middle of the chunk, so that no factor leaves the range of floats. Yang et al. 2024, arXiv:2312.06635, section 4.
 */
export function decayedSums(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  decay: tf.Tensor | null,
  size = chunkSize,
): tf.Tensor {
  const [, length, heads] = q.shape as [number, number, number];
  const own = Math.min(size, length);
  const [queries, keys, values] = [q, k, v].map((x) => inChunks(x, own)) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const seen = lowerOnes(own);
  if (decay === null) {
    const scores = tf.mul(tf.matMul(queries, keys, false, true), seen);
    const states = chunkBefore(tf.cumsum(tf.matMul(keys, values, true), 1));
    return outOfChunks(tf.add(tf.matMul(scores, values), tf.matMul(queries, states)), heads, length);
  }
  const sums = tf.cumsum(inChunks(decay, own), 2);
  const [middle, end] = [at(sums, own >> 1), at(sums, own - 1)];
  const scores = tf.matMul(
    tf.mul(queries, tf.exp(tf.sub(sums, middle))),
    tf.mul(keys, tf.exp(tf.sub(middle, sums))),
    false,
    true,
  );
  const causal = tf.where(tf.cast(seen, "bool"), scores, tf.zerosLike(scores));
  const added = tf.matMul(tf.mul(keys, tf.exp(tf.sub(end, sums))), values, true);
  const states = chunkBefore(linearScan(tf.transpose(tf.exp(end), [0, 1, 3, 2]), added));
  const earlier = tf.matMul(tf.mul(queries, tf.exp(sums)), states);
  return outOfChunks(tf.add(tf.matMul(causal, values), earlier), heads, length);
}

/** The same at one place, `[n, heads, …]`: what is read, `[n, heads, values]`, and the state after, `[n, heads, keys, values]`. */
export function decayedSum(
  state: tf.Tensor,
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  decay: tf.Tensor | null,
): readonly [tf.Tensor, tf.Tensor] {
  const kept = decay === null ? state : tf.mul(state, tf.exp(tf.expandDims(decay, 3)));
  const next = tf.add(kept, tf.mul(tf.expandDims(k, 3), tf.expandDims(v, 2)));
  return [readBy(q, next), next];
}

/** `qᵀ S` for `[n, heads, keys]` and `[n, heads, keys, values]`. */
export function readBy(q: tf.Tensor, state: tf.Tensor): tf.Tensor {
  return tf.squeeze(tf.matMul(tf.expandDims(q, 2), state), [2]);
}

/**
 * `qₜᵀ Sₜ` at all places for the delta rule, `Sₜ = gₜ Sₜ₋₁ + βₜ kₜ (vₜ − gₜ Sₜ₋₁ᵀ kₜ)ᵀ` with `gₜ = exp dₜ`: what the state answers to a key is replaced by the
 * value. `beta` and `d` are `[n, length, heads, 1]`; null for no decay.
 *
 * What is written at the places of a chunk solves a triangular system; between chunks the state goes through one product of matrices. Yang et al. 2024,
 * arXiv:2406.06484, section 3.2, and with decay arXiv:2412.06464, section 3.3.
 */
export function deltaSums(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  beta: tf.Tensor,
  decay: tf.Tensor | null,
  size = chunkSize,
): tf.Tensor {
  const [, length, heads] = q.shape as [number, number, number];
  const own = Math.min(size, length);
  const [queries, keys, values, rate] = [q, k, v, beta].map((x) => inChunks(x, own)) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const sums = decay === null ? null : tf.cumsum(inChunks(decay, own), 2);
  const since = (mask: tf.Tensor2D): tf.Tensor => {
    if (sums === null) return mask;
    const apart = tf.sub(sums, tf.transpose(sums, [0, 1, 3, 2]));
    return tf.mul(tf.exp(tf.mul(apart, mask)), mask);
  };
  const grown = (x: tf.Tensor): tf.Tensor => (sums === null ? x : tf.mul(x, tf.exp(sums)));
  const earlier = tf.mul(tf.mul(tf.matMul(keys, keys, false, true), rate), since(lowerOnes(own, true)));
  const solved = unitLowerInverse(earlier);
  const written = tf.matMul(solved, tf.mul(values, rate));
  const erased = tf.matMul(solved, grown(tf.mul(keys, rate)));
  const left = sums === null ? keys : tf.mul(keys, tf.exp(tf.sub(at(sums, own - 1), sums)));
  const width = keys.shape[3]!;
  const kept = sums === null ? tf.eye(width) : tf.mul(tf.eye(width), tf.exp(at(sums, own - 1)));
  const passes = tf.sub(kept, tf.matMul(left, erased, true));
  const states = statesThrough(passes, tf.matMul(left, written, true));
  const net = tf.sub(written, tf.matMul(erased, states));
  const scores = tf.mul(tf.matMul(queries, keys, false, true), since(lowerOnes(own)));
  return outOfChunks(tf.add(tf.matMul(grown(queries), states), tf.matMul(scores, net)), heads, length);
}

/** The same at one place, `[n, heads, …]`. */
export function deltaSum(
  state: tf.Tensor,
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  beta: tf.Tensor,
  decay: tf.Tensor | null,
): readonly [tf.Tensor, tf.Tensor] {
  const kept = decay === null ? state : tf.mul(state, tf.exp(tf.expandDims(decay, 3)));
  const written = tf.mul(tf.sub(v, readBy(k, kept)), beta);
  const next = tf.add(kept, tf.mul(tf.expandDims(k, 3), tf.expandDims(written, 2)));
  return [readBy(q, next), next];
}

/** The states before each chunk for `S ← P S + M`, `[rows, chunks, …]`. */
function statesThrough(passes: tf.Tensor, added: tf.Tensor): tf.Tensor {
  const [rows, chunks, keys, values] = added.shape as [number, number, number, number];
  if (chunks === 1) return tf.zeros([rows, 1, keys, values]);
  const turned = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [1, 0, 2, 3]);
  const [, before] = scan(
    (state: tf.Tensor, { pass, add }: { readonly pass: tf.Tensor; readonly add: tf.Tensor }) =>
      [tf.add(tf.matMul(pass, state), add), state] as const,
    tf.zeros([rows, keys, values]),
    { pass: turned(passes), add: turned(added) },
    {},
  );
  return turned(before);
}

/**
 * The inverse of `I + A` for matrices `[…, size, size]` with numbers below the diagonal alone.
 *
 * The inverses of blocks on the diagonal are joined two by two, blocks twice as large each time: `[[X, 0], [−Y A X, Y]]`. As accurate as substitution row by
 * row, in a few products of whole matrices.
 */
export function unitLowerInverse(a: tf.Tensor): tf.Tensor {
  const size = a.shape.at(-1)!;
  const joins = Array.from({ length: Math.ceil(Math.log2(Math.max(1, size))) }, (_, level) => {
    const block = 2 ** level;
    const ones = Float32Array.from({ length: size * size }, (_, i) => {
      const [row, column] = [Math.floor(i / size / block), Math.floor((i % size) / block)];
      return row % 2 === 1 && column === row - 1 ? 1 : 0;
    });
    return tf.tensor2d(ones, [size, size]);
  });
  const inverse = (a: tf.Tensor): tf.Tensor => {
    const eye = tf.add(tf.eye(size), tf.zeros(a.shape));
    return joins.reduce<tf.Tensor>(
      (blocks, join, level) =>
        tf.sub(blocks, level === 0 ? tf.mul(a, join) : tf.matMul(tf.matMul(blocks, tf.mul(a, join)), blocks)),
      eye,
    );
  };
  return tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [a, save] = args as [tf.Tensor, tf.GradSaveFunc];
    const value = inverse(a);
    save([value]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [x]: tf.Tensor[]) => tf.neg(tf.matMul(tf.matMul(x!, dy, true), x!, false, true)),
    };
  })(a);
}
