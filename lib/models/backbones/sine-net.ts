import { needOneOf } from "../../data/options.ts";
import { type Layer, requireCount } from "../layer.ts";
import {
  branch,
  conv,
  gelu,
  globalPool,
  groupNorm,
  patches,
  pool,
  read,
  take,
  tap,
  upsample,
} from "../layers/index.ts";
import type { Model } from "../model.ts";
import { beside, inRow, type NamedPart, named } from "../parts/named.ts";

/** Options of `sineNet`. */
export interface SineNetOptions {
  /** Small U-Nets one after the other. Default 4. */
  readonly waves?: number;
  /** Filters of the whole image. Default 16. */
  readonly filters?: number;
  /** How often a wave halves the image. Default 2; the paper has 4. */
  readonly levels?: number;
  /** By what the filters grow from level to level. With many waves it is small, so that all have equally many parameters. Default 1.5. */
  readonly growth?: number;
  /** "image": an image of `filters` channels; "places": a vector at each pixel, row by row; "vector": the mean over all pixels. Default "vector". */
  readonly gives?: "image" | "places" | "vector";
}

/**
 * A chain of small U-Nets, of which each moves the image on by a part of the way: what lies far away in time need not be brought into line by one network
 * whose shortcuts connect what is not at the same place any more.
 *
 * Takes images `[n, height, width, channels]` whose sides can be halved `levels` times. A wave adds to its input what a U-Net of residual blocks (two
 * convolutions, each normalised over all channels, with GELU) makes of it; at every level on the way down, from the second on, the block also sees the wave's
 * input at that size.
 *
 * Implements: P212 SineNet
 * Zhang et al. 2024, "SineNet: learning temporal dynamics in time-dependent partial differential equations", arXiv:2403.19507, section 3 and its program.
 * Differs from the paper: borders are filled with zeros, not with the other side of the image; going up is bilinear, not bicubic.
 *
 * @throws RangeError for images that cannot be halved so often.
 *
 * @example
 * ```ts
 * import { sineNet } from "thalweg";
 * sineNet({ waves: 2, filters: 8, gives: "image" }).features([16, 16, 1]); // [16, 16, 8]
 * ```
 */
export function sineNet({
  waves = 4,
  filters = 16,
  levels = 2,
  growth = 1.5,
  gives = "vector",
}: SineNetOptions = {}): Model<"image"> {
  for (const [name, value] of Object.entries({ waves, filters, levels })) requireCount("sineNet", name, value);
  if (!(growth > 0 && Number.isFinite(growth)))
    throw new RangeError(`sineNet: a growth above 0 is required, got ${growth}`);
  needOneOf("sineNet", "gives", gives, ["image", "places", "vector"]);
  const width = (level: number): number => Math.max(1, Math.floor(filters * growth ** level));
  const once = (count: number): Layer[] => [conv(count, 3), groupNorm(1), gelu({ form: "exact" })];
  const block = (before: readonly Layer[], count: number): Layer =>
    beside([...before, ...once(count), ...once(count)], [conv(count, 1)]);
  const sized = (level: number): Layer =>
    branch([inRow([]), inRow([take("wave"), pool(2 ** level, { keep: "mean" })])], {});
  const wave: Layer[] = [tap("wave"), tap("level 0")];
  for (let level = 1; level <= levels; level++)
    wave.push(pool(2, { keep: "mean" }), block(level === 1 ? [] : [sized(level)], width(level)), tap(`level ${level}`));
  for (let level = levels - 1; level >= 0; level--)
    wave.push(upsample(2, { by: "bilinear" }), block([read(`level ${level}`, { join: "concat" })], width(level)));
  const end: NamedPart[] =
    gives === "vector" ? [["mean", globalPool()]] : gives === "places" ? [["places", patches(1)]] : [];
  return named<"image">("sineNet", { waves, filters, levels, growth, gives }, [
    ["stem", conv(filters, 3)],
    ...Array.from({ length: waves }, (_, i): NamedPart => [`wave${i + 1}`, beside(wave, [])]),
    ...end,
  ]);
}
