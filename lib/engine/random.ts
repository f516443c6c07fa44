/** Seeded, splittable, restorable randomness: one seed per run, split by name for each use. */
import * as tf from "@tensorflow/tfjs-core";
import { era } from "./runtime/era.ts";

/** The whole state of a generator, as JSON. */
export interface RngState {
  readonly key: readonly number[];
  readonly state: readonly number[];
}

/**
 * A stream of random numbers (xoshiro128** by Blackman and Vigna, seeded through splitmix32).
 *
 * Children made with `at` depend on the parent's key and the names only, never on how much was drawn,
 * so adding a use of randomness changes no other use.
 */
export class Rng {
  readonly key: readonly number[];
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  /** The trace it was made in. Made in a trace, it gives the same numbers at every call of the plain function, too. */
  readonly #era = era.now;

  constructor(key: readonly number[], state?: readonly number[]) {
    this.key = key;
    const s = state ?? expand(key);
    [this.#a, this.#b, this.#c, this.#d] = [s[0]! | 0, s[1]! | 0, s[2]! | 0, s[3]! | 0];
  }

  /** An independent generator for the named use; does not advance this one. */
  at(...names: readonly (string | number)[]): Rng {
    let key = this.key;
    for (const name of names) key = derive(key, name);
    return new Rng(key);
  }

  /** A whole number in [0, 2³²). */
  uint32(): number {
    if (era.now !== this.#era && era.now !== 0) throw frozen();
    const b = this.#b;
    let r = Math.imul(b, 5);
    r = Math.imul((r << 7) | (r >>> 25), 9);
    const t = b << 9;
    const c = this.#c ^ this.#a;
    const d = this.#d ^ b;
    this.#b = b ^ c;
    this.#a ^= d;
    this.#c = c ^ t;
    this.#d = (d << 11) | (d >>> 21);
    return r >>> 0;
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    return (high * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** A standard normal number (Box and Muller 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A whole number in [0, n), without bias (Lemire 2019 by rejection). */
  int(n: number): number {
    if (!(n >= 1) || n > 4294967296 || !Number.isInteger(n))
      throw new RangeError(`Rng.int: a whole number in [1, 2³²] is required, got ${n}`);
    const limit = 4294967296 - (4294967296 % n);
    for (;;) {
      const draw = this.uint32();
      if (draw < limit) return draw % n;
    }
  }

  /** The numbers 0 … n−1 in random order (Fisher and Yates). */
  permutation(n: number): Uint32Array {
    const out = new Uint32Array(n);
    for (let i = 0; i < n; i++) out[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const held = out[i]!;
      out[i] = out[j]!;
      out[j] = held;
    }
    return out;
  }

  /** `k` different numbers of 0 … n−1 in random order. */
  sample(n: number, k: number): Uint32Array {
    if (k > n) throw new RangeError(`Rng.sample: at most ${n} different numbers can be drawn, got ${k}`);
    if (k * 4 > n) return this.permutation(n).slice(0, k);
    const seen = new Set<number>();
    while (seen.size < k) seen.add(this.int(n));
    return Uint32Array.from(seen);
  }

  /** A tensor of uniform numbers in [min, max), single precision. */
  uniforms(shape: readonly number[], min = 0, max = 1): tf.Tensor {
    return tf.tensor(this.fillUniform(new Float32Array(size(shape)), min, max), shape as number[], "float32");
  }

  /** A tensor of normal numbers, single precision. */
  normals(shape: readonly number[], mean = 0, deviation = 1): tf.Tensor {
    return tf.tensor(this.fillNormal(new Float32Array(size(shape)), mean, deviation), shape as number[], "float32");
  }

  /** Fills an array with uniform numbers in [min, max); gives it back. */
  fillUniform(out: Float32Array, min = 0, max = 1): Float32Array {
    for (let i = 0; i < out.length; i++) out[i] = min + (max - min) * (this.uint32() / 4294967296);
    return out;
  }

  /** Fills an array with normal numbers; gives it back. */
  fillNormal(out: Float32Array, mean = 0, deviation = 1): Float32Array {
    for (let i = 0; i < out.length; i++) out[i] = mean + deviation * this.normal();
    return out;
  }

  /** The state as JSON; `restoreRandom` makes a generator that goes on from here. */
  toJSON(): RngState {
    return { key: this.key, state: [this.#a, this.#b, this.#c, this.#d] };
  }
}

/**
 * Makes the root of a run's randomness from a seed.
 *
 * @example
 * ```ts
 * import { random } from "thalweg";
 * const rng = random(7);
 * rng.at("init").uniform() === random(7).at("init").uniform(); // true
 * ```
 */
export function random(seed: number): Rng {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`random: a whole number is required as seed, got ${seed}`);
  return new Rng(derive(derive([0x7a1e, 0x9e9, 0, 0], seed), "seed"));
}

/** Makes a generator that goes on where a saved one stopped. */
export function restoreRandom(saved: RngState): Rng {
  return new Rng(saved.key, saved.state);
}

const frozen = (): Error =>
  new Error(
    "a generator from outside was drawn from in a compiled function, which would give the same numbers at every call; pass the Rng as an argument",
  );

function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** murmur3's finalizer over 32 bits. */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function derive(key: readonly number[], name: string | number): readonly number[] {
  const text = typeof name === "number" ? `#${name}` : name;
  const out = [...key];
  for (let lane = 0; lane < 4; lane++) {
    let h = (key[lane]! ^ Math.imul(lane + 1, 0x9e3779b9)) >>> 0;
    for (let i = 0; i < text.length; i++) h = Math.imul((h ^ text.charCodeAt(i)) >>> 0, 0x01000193) ^ (h >>> 15);
    out[lane] = mix((h ^ text.length) >>> 0);
  }
  for (let lane = 0; lane < 4; lane++)
    out[lane] = mix((out[lane]! + Math.imul(out[(lane + 1) & 3]!, 0x85ebca6b)) >>> 0);
  return out;
}

function expand(key: readonly number[]): number[] {
  let s = (key[0]! ^ mix(key[1]! ^ mix(key[2]! ^ mix(key[3]!)))) | 0;
  const out: number[] = [];
  for (let i = 0; i < 4; i++) {
    s = (s + 0x9e3779b9) | 0;
    let z = s ^ (s >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    out.push((z ^ (z >>> 15) ^ key[i]!) | 0);
  }
  return out.every((v) => v === 0) ? [1, 2, 3, 4] : out;
}
