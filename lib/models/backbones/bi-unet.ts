import { type Layer, requireCount } from "../layer.ts";
import {
  binaryConv,
  coarse,
  conditions,
  consistentDown,
  consistentUp,
  conv,
  dropout,
  flatten,
  groupNorm,
  modulate,
  read,
  shuffleFusion,
  silu,
  tap,
  upsample,
} from "../layers/index.ts";
import type { Model } from "../model.ts";
import type { ConditionsOptions } from "../parts/conditioned.ts";
import { beside, type NamedPart, named } from "../parts/named.ts";

/** Options of `biUnet`; those of the noise are `conditions`'. */
export interface BiUnetOptions extends ConditionsOptions {
  /** Channels of the highest level; each level below has twice as many as the one above. Default 16; the paper has 64. */
  readonly filters?: number;
  /** How often the picture is halved, and one more: levels. Default 3; the paper has 4. */
  readonly levels?: number;
  /** Blocks at each level on the way down; there is one more on the way up. Default 1; the paper has 2. */
  readonly blocks?: number;
  /** Groups of each normalisation, which divide `filters`. Default 4; the paper has 16. */
  readonly groups?: number;
  /** The share that is dropped in each block. Default 0; the paper has 0.2. */
  readonly dropout?: number;
  /** Channels of the pictures. Default 1. */
  readonly channels?: number;
  /** The side of the squares whose mean it is told of the picture that is wanted, as `coarse` says; 0: it is told nothing. Default 0. */
  readonly side?: number;
  /** Spans of time with thresholds and activations of their own (TaR and TaA). Default 5. */
  readonly spans?: number;
  /** Whether pictures are made smaller and larger by layers to which their input can be added (CP-Down and CP-Up), or by one binary convolution. Default true. */
  readonly consistent?: boolean;
  /** Whether what comes up is mixed with what is remembered channel by channel (CS-Fusion), or by one binary convolution of both side by side. Default true. */
  readonly shuffled?: boolean;
}

/**
 * A U-Net of binary convolutions that takes noise out of pictures, which with `side` makes pictures finer: signs and one number for each filter in place of kernels.
 *
 * Takes images `[n, height, width, channels]` whose sides can be halved as often as there are levels but one, gives what it says of them, flattened. The strategy `diffusion` trains it; with `side`
 * `sample(network, { from })` draws fine pictures whose coarse ones are given. The first and the last convolution, the normalisations and what the time is told by are not binary. With
 * `consistent: false, shuffled: false, spans: 1` it is a U-Net that is made binary as it is, with as many numbers in its kernels.
 *
 * Implements: P231 BI-DiffSR
 * Chen et al. 2024, "Binarized diffusion model for image super-resolution", arXiv:2406.05723, section 3, and the authors' program. Differs from the paper: coarse pictures are means of
 * squares, repeated, in place of bicubic ones; no attention at the lowest level; the time also scales what it shifts, and begins by doing neither; each picture of a batch has a time, and so a
 * span, of its own. In the authors' settings the upper two levels are not binary on the way up; here all are. `diffusion` has squared errors, they absolute ones. What is binary is stored and multiplied as 32-bit numbers:
 * nothing is faster or smaller for it here.
 *
 * @throws RangeError for images that cannot be halved so often.
 *
 * @example
 * ```ts
 * import { biUnet, classes, diffusion, digits } from "thalweg";
 * classes(digits()).learn(biUnet({ side: 2, steps: 100 })).by(diffusion());
 * biUnet({ filters: 8 }).features([8, 8, 1]); // [64]
 * ```
 */
export function biUnet(given: BiUnetOptions = {}): Model<"image"> {
  const { filters = 16, levels = 3, blocks = 1, groups = 4, dropout: dropped = 0, channels = 1, side = 0 } = given;
  const { spans = 5, consistent = true, shuffled = true } = given;
  const { classes = 0, steps = 200, schedule = "cosine", predicts = "noise", range = [0, 1] } = given;
  for (const [name, value] of Object.entries({ filters, levels, blocks, channels, spans }))
    requireCount("biUnet", name, value);
  const noise = { classes, steps, schedule, predicts, range: [...range] as [number, number] };
  const shape = { filters, levels, blocks, groups, dropout: dropped, channels, side, spans, consistent, shuffled };
  const width = filters + (filters % 2);
  const kept: string[] = [];
  const keep = (part: NamedPart): NamedPart[] => {
    kept.push(part[0]);
    return [part, [`keep-${part[0]}`, tap(part[0])]];
  };
  const block = (count: number): Layer => {
    const half = [groupNorm(groups), silu()];
    const rest = [...half, ...(dropped > 0 ? [dropout(dropped)] : []), binaryConv(count, 3, { spans })];
    return beside([...half, binaryConv(count, 3, { spans }), modulate(), ...rest]);
  };
  const first = keep(["first", conv(filters, 3)]);
  const down = Array.from({ length: levels }, (_, level): NamedPart[] => {
    const count = filters * 2 ** level;
    const own = Array.from({ length: blocks }, (_, i) => keep([`down${level + 1}-block${i + 1}`, block(count)])).flat();
    if (level === levels - 1) return own;
    const halve = consistent ? consistentDown({ spans }) : binaryConv(2 * count, 3, { stride: 2, spans });
    return [...own, ...keep([`halve${level + 1}`, halve])];
  });
  const up = Array.from({ length: levels }, (_, from): NamedPart[] => {
    const level = levels - 1 - from;
    const count = filters * 2 ** level;
    const own = Array.from({ length: blocks + 1 }, (_, i): NamedPart[] => {
      const [name, at] = [kept.pop()!, `${level + 1}-${i + 1}`];
      const joined: NamedPart[] = [
        [`join${at}`, read(name, { join: "concat" })],
        [`fuse${at}`, binaryConv(count, 1, { spans })],
      ];
      return [
        ...(shuffled ? [[`fuse${at}`, shuffleFusion(name, { spans })] satisfies NamedPart] : joined),
        [`up${level + 1}-block${i + 1}`, block(count)],
      ];
    }).flat();
    if (level === 0) return own;
    const grow = consistent ? [consistentUp({ spans })] : [upsample(2), binaryConv(count / 2, 3, { spans })];
    return [...own, [`grow${level + 1}`, grow]];
  });
  const lowest = filters * 2 ** (levels - 1);
  return named<"image">("biUnet", { ...shape, ...noise }, [
    ["conditions", conditions(width, noise)],
    ...(side > 0 ? [["coarse", coarse(side)] satisfies NamedPart] : []),
    ...first,
    ...down.flat(),
    ["middle1", block(lowest)],
    ["middle2", block(lowest)],
    ...up.flat(),
    ["last", [groupNorm(groups), silu(), conv(channels, 3)]],
    ["flat", flatten()],
  ]);
}
