/** Linear systems with a state for each channel, over long sequences. */
import { type Complex, complex, linearScan, nn, type Rng, scan, tf } from "../../engine/index.ts";
import type { Mode, Params } from "../model.ts";
import { product, productParams } from "./product.ts";

/**
 * `xₜ = Ā xₜ₋₁ + B̄ uₜ`, `yₜ = C xₜ`, a system of real states for each of the channels, as it is needed where a sequence is cut into chunks of `size`
 * places.
 */
export interface Chunked {
  /** `[channels, size]`: what a unit gives 0, 1, … places later, `C Āᵏ B̄`. */
  readonly taps: tf.Tensor;
  /** `[channels, size, states]`: what a unit at each place leaves at the end of the chunk, `Āˢ⁻¹⁻ᵏ B̄`. */
  readonly inward: tf.Tensor;
  /** `[channels, states, size]`: what the state before the chunk gives at each place, `C Āᵏ⁺¹`. */
  readonly outward: tf.Tensor;
  /** The states before every chunk, from what each chunk leaves: both `[channels, n, chunks, states]`. */
  before(ends: tf.Tensor): tf.Tensor;
}

/** A sequence of at most so many places is one chunk. */
const longest = 64;
/** Places of a chunk of a longer one. */
const chunk = 32;

/**
 * What systems give for `x`, `[n, length, channels]`: within chunks by products with the matrices of their responses, from chunk to chunk by the state. A
 * product of matrices for each channel does more arithmetic than a Fourier transform and is done sooner: 8 sequences of 1,024 places, 64 channels with 64 states
 * take less than `fftConvolve` alone.
 */
export function throughChunks(x: tf.Tensor, systemFor: (size: number) => Chunked): tf.Tensor {
  const [n, length, channels] = x.shape as [number, number, number];
  const size = length <= longest ? length : chunk;
  const chunks = Math.ceil(length / size);
  const whole = chunks * size;
  const { taps, inward, outward, before } = systemFor(size);
  const filled =
    whole === length
      ? x
      : tf.pad(x, [
          [0, 0],
          [0, whole - length],
          [0, 0],
        ]);
  const rows = tf.reshape(tf.transpose(filled, [2, 0, 1]), [channels, n * chunks, size]);
  let y = tf.matMul(rows, shifts(taps, size));
  if (chunks > 1) {
    const ends = tf.matMul(rows, inward);
    const states = ends.shape[2]!;
    const had = before(tf.reshape(ends, [channels, n, chunks, states]));
    y = tf.add(y, tf.matMul(tf.reshape(had, [channels, n * chunks, states]), outward));
  }
  const back = tf.transpose(tf.reshape(y, [channels, n, whole]), [1, 2, 0]);
  return whole === length ? back : tf.slice(back, [0, 0, 0], [n, length, channels]);
}

/** `[channels, size, size]` of taps `[channels, size]`: row m holds them from place m on. */
function shifts(taps: tf.Tensor, size: number): tf.Tensor {
  const at = Int32Array.from({ length: size * size }, (_, i) => size + (i % size) - Math.floor(i / size));
  const behind = tf.pad(taps, [
    [0, 0],
    [size, 0],
  ]);
  return tf.gather(behind, tf.tensor2d(at, [size, size], "int32"), 1);
}

/** What stood one chunk before; zeros before the first: `[channels, n, chunks, states]`. */
function oneLater(x: tf.Tensor): tf.Tensor {
  const [channels, n, chunks, states] = x.shape as [number, number, number, number];
  return tf.concat(
    [tf.zeros([channels, n, 1, states]), tf.slice(x, [0, 0, 0, 0], [channels, n, chunks - 1, states])],
    2,
  );
}

/**
 * Diagonal systems in conjugate pairs, of which one of each stands for both: `y = 2 Re(C x)`. `a` is the logarithm of Ā, `b` and `c` are B̄ and C, all
 * `[channels, modes]`.
 */
export function diagonal(a: Complex, b: Complex, c: Complex): (size: number) => Chunked {
  return (size) => {
    const flat = (parts: Complex): Complex => ({ re: tf.expandDims(parts.re, 2), im: tf.expandDims(parts.im, 2) });
    // Āᵏ for k = 0 … size
    const powers = complex.exp(complex.scaled(flat(a), tf.range(0, size + 1)));
    const part = (x: tf.Tensor, from: number, count: number): tf.Tensor =>
      tf.slice(x, [0, 0, from], [x.shape[0]!, x.shape[1]!, count]);
    const some = (from: number, count: number): Complex => ({
      re: part(powers.re, from, count),
      im: part(powers.im, from, count),
    });
    const both = complex.times(flat(b), flat(c));
    const response = complex.times(both, some(0, size)).re;
    const into = complex.times(flat(b), some(0, size));
    const out = complex.times(flat(c), some(1, size));
    const last = some(size, 1);
    const factor: Complex = {
      re: tf.reshape(last.re, [-1, 1, 1, a.re.shape[1]!]),
      im: tf.reshape(last.im, [-1, 1, 1, a.re.shape[1]!]),
    };
    return {
      taps: tf.mul(tf.sum(response, 1), 2),
      inward: tf.transpose(tf.reverse(tf.concat([into.re, into.im], 1), 2), [0, 2, 1]),
      outward: tf.mul(tf.concat([out.re, tf.neg(out.im)], 1), 2),
      before(ends) {
        const [re, im] = tf.split(ends, 2, 3) as [tf.Tensor, tf.Tensor];
        const states = linearScan(factor, { re, im }, null, { axis: 2 });
        return oneLater(tf.concat([states.re, states.im], 3));
      },
    };
  };
}

/** Systems with whole matrices: `a` is Ā, `[channels, states, states]`, `b` and `c` are B̄ and C, `[channels, states]`. */
export function dense(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor): (size: number) => Chunked {
  return (size) => {
    const [channels, states] = b.shape as [number, number];
    // rows b, Āb, Ā²b, …: twice as many with every product
    let into = tf.reshape(b, [channels, 1, states]);
    let power = a;
    while (into.shape[1]! < size) {
      into = tf.concat([into, tf.matMul(into, power, false, true)], 1);
      if (into.shape[1]! < size) power = tf.matMul(power, power);
    }
    let out = tf.matMul(tf.reshape(c, [channels, 1, states]), a);
    let once = a;
    while (out.shape[1]! < size) {
      out = tf.concat([out, tf.matMul(out, once)], 1);
      if (out.shape[1]! < size) once = tf.matMul(once, once);
    }
    const cut = (x: tf.Tensor): tf.Tensor => tf.slice(x, [0, 0, 0], [channels, size, states]);
    const [forth, back] = [cut(into), cut(out)];
    return {
      taps: tf.reshape(tf.matMul(forth, tf.reshape(c, [channels, states, 1])), [channels, size]),
      inward: tf.reverse(forth, 1),
      outward: tf.transpose(back, [0, 2, 1]),
      before(ends) {
        const whole = powerOf(a, size);
        const along = tf.transpose(ends, [2, 0, 1, 3]);
        const [, had] = scan(
          (state: tf.Tensor, end: tf.Tensor, whole: tf.Tensor) =>
            [tf.add(tf.matMul(state, whole, false, true), end), state] as const,
          tf.zeros(along.shape.slice(1)) as tf.Tensor,
          along,
          whole,
        );
        return tf.transpose(had, [1, 2, 0, 3]);
      },
    };
  };
}

/** A matrix to a whole power of at least 1, by squaring. */
function powerOf(a: tf.Tensor, power: number): tf.Tensor {
  if (power === 1) return a;
  const half = powerOf(a, Math.floor(power / 2));
  const square = tf.matMul(half, half);
  return power % 2 === 0 ? square : tf.matMul(square, a);
}

/** Steps of time, one for each channel, drawn evenly on the scale of logarithms: these. */
export function logSteps(rng: Rng, shape: number[], [least, most]: readonly [number, number]): tf.Tensor {
  return rng.uniforms(shape, Math.log(least), Math.log(most));
}

/** What comes after a linear system in a layer: nothing, or a Gaussian error linear unit and a gated product of twice the width. */
export type Mixed = "glu" | "none";

export function requireMixed(name: string, mix: Mixed): void {
  if (mix !== "glu" && mix !== "none")
    throw new RangeError(`${name}: mix "glu" or "none" is required, got ${JSON.stringify(mix)}`);
}

export const mixParams = (rng: Rng, width: number, mix: Mixed): Params =>
  mix === "none" ? {} : { mix: productParams(rng.at("mix"), width, 2 * width) };

export function mixed(y: tf.Tensor, params: Params, mode: Mode, mix: Mixed): tf.Tensor {
  if (mix === "none") return y;
  const [value, gate] = tf.split(product(nn.gelu(y), params, "mix", mode), 2, 2) as [tf.Tensor, tf.Tensor];
  return tf.mul(value, tf.sigmoid(gate));
}

/** `keep`, `[n, places]`, so that it broadcasts with states `[n, places, …]` of `rank` axes. */
export const keepFor = (keep: tf.Tensor, rank: number): tf.Tensor =>
  tf.reshape(keep, [...keep.shape, ...new Array(rank - 2).fill(1)]);

/** The state at the last place of all places, `[n, places, …]`. */
export function lastPlace(x: tf.Tensor): tf.Tensor {
  const [n, length, ...rest] = x.shape as [number, number, ...number[]];
  return tf.reshape(tf.slice(x, [0, length - 1], [n, 1]), [n, ...rest]);
}
