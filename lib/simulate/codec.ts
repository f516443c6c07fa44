/** Codecs: vectors in fewer bytes on their way from one machine to another. */
import type { Json } from "../data/dataset.ts";
import { checked, type Options, type Widened } from "../data/options.ts";
import type { Rng } from "../engine/index.ts";
import type { Layer } from "./parts/trainer.ts";
import { addTo, minus } from "./parts/vectors.ts";

/** A vector as it comes out at the other end, and what went over the line for it. */
export interface Coded {
  readonly vector: Float32Array;
  readonly bytes: number;
}

/** A way to code vectors. */
export interface Codec {
  readonly spec: { readonly name: string; readonly options: Json };
  /** Whether what comes out is right in the mean: nothing left out need be kept, and the noise of what was kept would only grow. */
  readonly unbiased: boolean;
  /** A coder for the vectors of one machine, whose parts are the layers'; it may keep state from one vector to the next. */
  coder(layers: readonly Layer[], rng: Rng): (vector: Float32Array) => Coded;
  toJSON(): Json;
}

/** A function that makes a codec from options. */
export interface CodecFactory<O extends Options> {
  (options?: Partial<Widened<O>>): Codec;
  readonly codec: string;
  readonly defaults: O;
}

/**
 * Declares a codec: its name, its options with their defaults, its coder, and for which options it is right in the mean (default none).
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const half = simulate.codec("half", {}, () => () => (vector) => ({ vector: vector.map((x) => Math.fround(x)), bytes: 2 * vector.length }));
 * half().spec; // { name: "half", options: {} }
 * ```
 */
export function codec<O extends Options>(
  name: string,
  defaults: O,
  build: (options: Widened<O>) => Codec["coder"],
  unbiased: (options: Widened<O>) => boolean = () => false,
): CodecFactory<O> {
  const make = (options: Partial<Widened<O>> = {}): Codec => {
    const all = checked(name, defaults, options as Partial<O>);
    const spec = { name, options: all as Json };
    const own = all as Widened<O>;
    return Object.freeze({ spec, unbiased: unbiased(own), coder: build(own), toJSON: () => spec });
  };
  return Object.assign(make, { codec: name, defaults });
}

/**
 * A coder that keeps what its codec leaves out and adds it to the next vector (error feedback), so that all that was given has gone out in
 * the end. One that is right in the mean keeps nothing. Plain bytes where there is no codec.
 */
export function withFeedback(of: Codec | null, layers: readonly Layer[], rng: Rng): (vector: Float32Array) => Coded {
  if (of === null) return (vector) => ({ vector, bytes: 4 * vector.length });
  const code = of.coder(layers, rng);
  if (of.unbiased) return code;
  let left: Float32Array | undefined;
  return (vector) => {
    const whole = left === undefined ? vector.slice() : addTo(left, vector);
    const coded = code(whole);
    left = minus(whole, coded.vector);
    return coded;
  };
}

/** The bytes of so many places among `n`, each written in as few bits as tell them apart. */
export function placeBytes(count: number, n: number): number {
  return Math.ceil((count * Math.ceil(Math.log2(Math.max(2, n)))) / 8);
}
