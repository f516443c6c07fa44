import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { placesBefore, rowsAt } from "../../parts/recurrence.ts";

/** Options of `positions`. */
export interface PositionsOptions {
  /**
   * "learned": a trained vector for each place, begun normal with deviation 0.02. "sinusoidal": fixed waves, of which the even numbers of place t
   * are `sin(t / 10000^(2i/d))` and the odd ones the cosines. Default "learned".
   */
  readonly kind?: "learned" | "sinusoidal";
}

/**
 * Adds to each place of a sequence a vector that says which place it is.
 *
 * Layers that look at all places at once need it. Vaswani et al. 2017, section 3.5.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().patches(4).dense(16).positions({ kind: "sinusoidal" }).transformer(2, { causal: false }).features([8, 8, 1]); // [4, 16]
 * ```
 */
export const positions = sameLayer(
  "positions",
  ({ kind = "learned" }: PositionsOptions = {}) => {
    if (kind !== "learned" && kind !== "sinusoidal")
      throw new RangeError(`positions: kind "learned" or "sinusoidal" is required, got ${JSON.stringify(kind)}`);
    return {
      options: { kind },
      shape(input) {
        if (input.length !== 2)
          throw new RangeError(
            `positions: a sequence of vectors is required, got shape [${input}]; put patches(size) or embedding(tokens, units) before it`,
          );
        return input;
      },
      ...(kind === "learned" && {
        reach: ({ places }: Params) => (places as tf.Tensor).shape[0]!,
        init: (rng, [length, units]) => ({ places: rng.at("places").normals([length!, units!], 0, 0.02) }),
        kindOf: () => "embedding" as const,
      }),
      apply: (x, params) =>
        tf.add(x, kind === "learned" ? (params.places as tf.Tensor) : waves(x.shape[1]!, x.shape[2]!)),
      recurs(x, params, _mode, states, keep) {
        const [at, after] = placesBefore(states, keep);
        const places = kind === "learned" ? rowsAt(params.places as tf.Tensor, at) : wavesAt(at, x.shape[2]!);
        return [tf.add(x, places), [after]];
      },
    };
  },
  ["sequence"],
);

/** `[length, units]` of sines and cosines, the waves longer from column to column. */
function waves(length: number, units: number): tf.Tensor2D {
  const numbers = Float32Array.from({ length: length * units }, (_, at) => {
    const [place, unit] = [Math.floor(at / units), at % units];
    const angle = place / 10000 ** ((unit - (unit % 2)) / units);
    return unit % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
  return tf.tensor2d(numbers, [length, units]);
}

/** The same at the places `[n, length]` of a piece: `[n, length, units]`. */
function wavesAt(at: tf.Tensor, units: number): tf.Tensor {
  const slow = Float32Array.from({ length: units }, (_, unit) => 10000 ** -((unit - (unit % 2)) / units));
  const angles = tf.mul(tf.expandDims(at, 2), tf.tensor1d(slow));
  const even = tf.tensor1d(Float32Array.from({ length: units }, (_, unit) => 1 - (unit % 2)));
  return tf.add(tf.mul(tf.sin(angles), even), tf.mul(tf.cos(angles), tf.sub(1, even)));
}
