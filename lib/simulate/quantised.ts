import { needWhole } from "../data/options.ts";
import type { Rng } from "../engine/index.ts";
import { type Coded, codec } from "./codec.ts";
import type { Layer } from "./parts/trainer.ts";

/**
 * Numbers in few bits, rounded up or down at random so that the mean is right: QSGD.
 *
 * With norm `‖v‖` of a layer and `s = 2^(bits − 1) − 1` levels, `vᵢ` becomes `‖v‖ · sign(vᵢ) · ξᵢ`, where `ξᵢ` is `l/s` or `(l + 1)/s` and
 * `E[ξᵢ] = |vᵢ| / ‖v‖`. A layer takes 4 bytes and `bits` for each number.
 *
 * Alistarh et al. 2017, arXiv:1610.02132, section 3.1. Differs from the paper: the levels go out as they are, not in Elias' code.
 *
 * @throws RangeError where bits are not from 2 to 16.
 *
 * @example
 * ```ts
 * import { random, simulate } from "thalweg";
 * simulate.quantised({ bits: 4 }).coder([], random(0))(new Float32Array(100)).bytes; // 54
 * ```
 */
export const quantised = codec(
  "quantised",
  {
    /** Bits of a number, its sign included. */
    bits: 8,
  },
  ({ bits }) => {
    needWhole("quantised", "bits", bits, 2);
    if (bits > 16) throw new RangeError(`quantised: at most 16 bits are required, got ${bits}`);
    return (layers, rng) => (vector) => byLayer(layers, vector, (part) => levels(part, bits, rng));
  },
  () => true,
);

/** A layer's numbers rounded to levels of its norm. */
export function levels(part: Float32Array, bits: number, rng: Rng): Coded {
  const s = 2 ** (bits - 1) - 1;
  let square = 0;
  for (const x of part) square += x * x;
  const norm = Math.sqrt(square);
  const vector = part.map((x) => {
    if (norm === 0) return 0;
    const at = (Math.abs(x) / norm) * s;
    const low = Math.floor(at);
    return (norm * Math.sign(x) * (low + (rng.uniform() < at - low ? 1 : 0))) / s;
  });
  return { vector, bytes: 4 + Math.ceil((bits * part.length) / 8) };
}

/** Codes each layer by itself; a vector without layers is one. */
export function byLayer(
  layers: readonly Layer[],
  vector: Float32Array,
  code: (part: Float32Array, layer: Layer) => Coded,
): Coded {
  const parts = layers.length > 0 ? layers : [{ from: 0, size: vector.length, shape: [vector.length] }];
  const out = vector.slice();
  let bytes = 0;
  for (const layer of parts) {
    const coded = code(vector.subarray(layer.from, layer.from + layer.size), layer);
    out.set(coded.vector, layer.from);
    bytes += coded.bytes;
  }
  return { vector: out, bytes };
}
