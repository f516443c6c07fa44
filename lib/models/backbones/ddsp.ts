import { type Layer, requireCount } from "../layer.ts";
import {
  branch,
  dense,
  filteredNoise,
  harmonicOscillator,
  layerNorm,
  leakyRelu,
  pick,
  reverb,
  take,
  tap,
} from "../layers/index.ts";
import type { Model } from "../model.ts";
import { inRow, type NamedPart, named } from "../parts/named.ts";

/** Options of `ddsp`. */
export interface DdspOptions {
  /** Sines at multiples of the pitch. Default 60. */
  readonly harmonics?: number;
  /** Frequencies of the noise's filter. Default 65. */
  readonly bands?: number;
  /** Samples of a frame, and of a second. Default 64 and 16000. */
  readonly hop?: number;
  readonly rate?: number;
  /** Units of the decoder's layers, and how many. Default 128 and 2. */
  readonly hidden?: number;
  readonly depth?: number;
  /** Samples of the room's response; 0 for none. Default 0. */
  readonly room?: number;
}

/**
 * A decoder of sound: frames of pitch and loudness, `[frames, 2]`, become samples, `[frames · hop, 1]`.
 *
 * The pitch is a note of MIDI divided by 127, loudness any number. Dense layers, frame by frame, say how loud harmonics and bands of noise are; an oscillator at the pitch and filtered noise
 * make sound of it, and a room. Nothing of it draws samples one after the other. Train it with `spectralLoss`.
 *
 * Engel, Hantrakul, Gu and Roberts 2020, "DDSP: differentiable digital signal processing", arXiv:2001.04643, sections 3 and 4.1 (figure 2). Differs from the paper: the decoder has
 * dense layers alone, without a recurrent one, and there is no code z.
 *
 * @example
 * ```ts
 * import { ddsp } from "thalweg";
 * ddsp({ harmonics: 8, bands: 9, hop: 32, rate: 4000, hidden: 16 }).features([10, 2]); // [320, 1]
 * ```
 */
export function ddsp({
  harmonics = 60,
  bands = 65,
  hop = 64,
  rate = 16_000,
  hidden = 128,
  depth = 2,
  room = 0,
}: DdspOptions = {}): Model<"sequence"> {
  for (const [name, value] of Object.entries({ harmonics, bands, hop, rate, hidden, depth }))
    requireCount("ddsp", name, value);
  requireCount("ddsp", "room", room, 0);
  const mlp = Array.from({ length: depth }, (): Layer[] => [dense(hidden), layerNorm(), leakyRelu()]).flat();
  const pitch = inRow([take("frames"), pick(0, 1)]);
  const sines = inRow([
    branch([pitch, inRow([dense(1 + harmonics)])], {}),
    harmonicOscillator({ hop, rate, pitch: "midi" }),
  ]);
  const noise = inRow([dense(bands), filteredNoise({ hop })]);
  const end: NamedPart[] = room === 0 ? [] : [["room", reverb(room)]];
  return named<"sequence">("ddsp", { harmonics, bands, hop, rate, hidden, depth, room }, [
    ["frames", tap("frames")],
    ...mlp.map((one, i): NamedPart => [`decoder${i + 1}`, one]),
    ["sound", branch([sines, noise], { join: "add" })],
    ...end,
  ]);
}
