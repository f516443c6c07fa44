import { random, tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { expSigmoid } from "../../parts/sound.ts";

/** Options of `filteredNoise`. */
export interface FilteredNoiseOptions {
  /** Samples of each frame. Default 64. */
  readonly hop?: number;
  /** Added to what says how loud a band is, so that noise begins quiet. Default −5. */
  readonly bias?: number;
}

/**
 * White noise through a filter that each frame says: frames `[frames, bands]` become samples `[frames · hop, 1]`.
 *
 * Numbers of a frame are how loud evenly spaced frequencies are, from 0 to half the rate; of any number `2 σ(x + bias)^(ln 10)` is made. Their inverse Fourier transform, under Hann's
 * window, is a filter without delay, `2 (bands − 1)` taps long, through which the frame's noise goes; frames overlap and add. In training the noise is new at every pass, else always the same.
 *
 * Engel, Hantrakul, Gu and Roberts 2020, arXiv:2001.04643, section 3.4 and appendix B.2.
 *
 * @throws RangeError when there are fewer than two bands.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().filteredNoise({ hop: 64 }).features([16, 17]); // [1024, 1]
 * ```
 */
export const filteredNoise = layer(
  "filteredNoise",
  { accepts: ["sequence"], gives: "sequence" },
  ({ hop = 64, bias = -5 }: FilteredNoiseOptions = {}) => {
    requireCount("filteredNoise", "hop", hop);
    return {
      options: { hop, bias },
      shape(input) {
        const [frames, bands] = requireVectors("filteredNoise", input);
        if (bands < 2)
          throw new RangeError(`filteredNoise: frames of at least two bands are required, got shape [${input}]`);
        return [frames * hop, 1];
      },
      apply(x, _, mode) {
        const [n, frames, bands] = x.shape as [number, number, number];
        const size = 2 * (bands - 1);
        const flat = tf.reshape(expSigmoid(tf.add(x, bias)), [n * frames, bands]);
        const taps = tf.reshape(tf.matMul(flat as tf.Tensor2D, responses(bands)), [n, frames, size, 1]);
        const noise = (mode.rng ?? random(0)).at("noise").uniforms([mode.rng === null ? 1 : n, frames, hop], -1, 1);
        // every sample of a frame with those before it that its filter reaches; nothing beyond the frame
        const long = hop + size - 1;
        const at = Int32Array.from({ length: long * size }, (_, i) => size - 1 + Math.floor(i / size) - (i % size));
        const around = tf.pad(noise, [
          [0, 0],
          [0, 0],
          [size - 1, size - 1],
        ]);
        const seen = tf.gather(around, tf.tensor2d(at, [long, size], "int32"), 2);
        const each = n === seen.shape[0] ? seen : tf.tile(seen, [n, 1, 1, 1]);
        const filtered = tf.squeeze(tf.matMul(each, taps), [3]);
        const added = overlapped(filtered, hop);
        return tf.expandDims(tf.slice(added, [0, size / 2], [n, frames * hop]), 2);
      },
    };
  },
);

/** `[bands, taps]`: the response of each band, its middle at half of the taps. */
function responses(bands: number): tf.Tensor2D {
  const size = 2 * (bands - 1);
  const data = Float32Array.from({ length: bands * size }, (_, i) => {
    const [band, tap] = [Math.floor(i / size), i % size];
    const twice = band === 0 || band === bands - 1 ? 1 : 2;
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * tap) / size);
    return ((twice * window) / size) * Math.cos((2 * Math.PI * band * (tap - size / 2)) / size);
  });
  return tf.tensor2d(data, [bands, size]);
}

/** Frames, `[n, frames, long]`, each `hop` samples later than the one before, added: `[n, (frames + pieces − 1) · hop]`. */
function overlapped(x: tf.Tensor, hop: number): tf.Tensor {
  const [n, frames, long] = x.shape as [number, number, number];
  const pieces = Math.ceil(long / hop) + 1;
  const filled = tf.pad(x, [
    [0, 0],
    [0, 0],
    [0, pieces * hop - long],
  ]);
  const cut = tf.split(tf.reshape(filled, [n, frames, pieces, hop]), pieces, 2);
  const sum = tf.addN(
    cut.map((piece, k) =>
      tf.pad(tf.reshape(piece, [n, frames, hop]), [
        [0, 0],
        [k, pieces - 1 - k],
        [0, 0],
      ]),
    ),
  );
  return tf.reshape(sum, [n, (frames + pieces - 1) * hop]);
}
