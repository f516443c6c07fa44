import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { envelope, expSigmoid } from "../../parts/sound.ts";

/** Options of `harmonicOscillator`. */
export interface HarmonicOscillatorOptions {
  /** Samples of each frame. Default 64. */
  readonly hop?: number;
  /** Samples of a second. Default 16000. */
  readonly rate?: number;
  /** Whether the pitch is in hertz, or a note of MIDI divided by 127. Default "hertz". */
  readonly pitch?: "hertz" | "midi";
}

/**
 * A bank of sines at the multiples of a pitch: frames `[frames, 2 + harmonics]` become samples `[frames · hop, 1]`.
 *
 * The first number of a frame is the pitch, the second how loud, the others how that is shared among the harmonics; these may be any numbers, of which `2 σ(x)^(ln 10)` is made, and the
 * shares sum to 1. Harmonics from half the rate on are silent. `y = Σ_h A c_h sin(h φ)`, φ the sum of the pitch so far; between frames the pitch goes in straight lines, loudness along halves
 * of Hann's window.
 *
 * Implements: P356 DDSP
 * Engel, Hantrakul, Gu and Roberts 2020, "DDSP: differentiable digital signal processing", arXiv:2001.04643, section 3.1 to 3.3 and appendix B; with `filteredNoise`, `reverb`,
 * the model `ddsp` and `spectralLoss`. Differs from the paper: the pitch is given, never estimated.
 *
 * @throws RangeError when what comes in has no pitch, loudness and share.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().harmonicOscillator({ hop: 64, rate: 4000 }).features([16, 12]); // [1024, 1]
 * ```
 */
export const harmonicOscillator = layer(
  "harmonicOscillator",
  { accepts: ["sequence"], gives: "sequence" },
  ({ hop = 64, rate = 16_000, pitch = "hertz" }: HarmonicOscillatorOptions = {}) => {
    requireCount("harmonicOscillator", "hop", hop);
    needOneOf("harmonicOscillator", "pitch", pitch, ["hertz", "midi"]);
    if (!(rate > 0)) throw new RangeError(`harmonicOscillator: a rate above 0 is required, got ${rate}`);
    return {
      options: { hop, rate, pitch },
      shape(input) {
        const [frames, width] = requireVectors("harmonicOscillator", input);
        if (width < 3)
          throw new RangeError(
            `harmonicOscillator: frames of a pitch, a loudness and at least one harmonic are required, got shape [${input}]`,
          );
        return [frames * hop, 1];
      },
      apply(x) {
        const [n, frames, width] = x.shape as [number, number, number];
        const harmonics = width - 2;
        const [given, loud, shares] = tf.split(x, [1, 1, harmonics], 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const hertz =
          pitch === "hertz" ? given : tf.mul(tf.exp(tf.mul(tf.sub(tf.mul(given, 127), 69), Math.LN2 / 12)), 440);
        const multiples = tf.range(1, harmonics + 1);
        const heard = tf.step(tf.sub(rate / 2, tf.mul(hertz, multiples)));
        const parts = tf.mul(expSigmoid(shares), heard);
        const spread = tf.div(parts, tf.maximum(tf.sum(parts, 2, true), 1e-7));
        const loudness = envelope(tf.mul(expSigmoid(loud), spread), hop, "hann");
        // turns within frames, and those before each frame less whole ones, so that single precision lasts
        const speed = tf.reshape(tf.div(envelope(hertz, hop, "line"), rate), [n, frames, hop]);
        const before = tf.cumsum(tf.sum(speed, 2, true), 1, true);
        const turns = tf.add(tf.cumsum(speed, 2), tf.sub(before, tf.floor(before)));
        const phases = tf.mul(tf.reshape(turns, [n, frames * hop, 1]), tf.mul(multiples, 2 * Math.PI));
        return tf.sum(tf.mul(tf.sin(phases), loudness), 2, true);
      },
    };
  },
);
