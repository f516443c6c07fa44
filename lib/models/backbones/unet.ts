import { needOneOf } from "../../data/options.ts";
import { type Layer, requireCount } from "../layer.ts";
import { batchNorm, conv, globalPool, patches, pool, read, relu, tap, upsample } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { type NamedPart, named } from "../parts/named.ts";

/** Options of `unet`. */
export interface UnetOptions {
  /** Filters of each level, from the image down. Default [16, 32, 64]; the paper has [64, 128, 256, 512, 1024]. */
  readonly filters?: readonly number[];
  /** Whether convolutions are normalised by batch. Default false, as in the paper. */
  readonly norm?: boolean;
  /** "vector": the mean over all pixels; "places": a vector at each pixel, row by row; "image": the same as an image. Default "vector". */
  readonly gives?: "vector" | "places" | "image";
}

/**
 * A network that goes down to a small image and up again to the whole one, where each level joins what it had on the way down.
 *
 * Takes images `[n, height, width, channels]` whose sides can be halved as often as there are levels but one. Gives `[n, first filters]`,
 * or a vector at each pixel, `[n, height · width, first filters]`, or `[n, height, width, first filters]`.
 *
 * Ronneberger et al. 2015, arXiv:1505.04597, section 2 and figure 1. Differs from the paper: borders are filled with zeros, so that nothing
 * is cropped; going up, a pixel is repeated before the 2×2 convolution, as the paper's words allow.
 *
 * @throws RangeError for images that cannot be halved so often.
 *
 * @example
 * ```ts
 * import { unet } from "thalweg";
 * unet().features([28, 28, 1]); // [16]
 * unet({ gives: "places" }).features([28, 28, 1]); // [784, 16]
 * ```
 */
export function unet({ filters = [16, 32, 64], norm = false, gives = "vector" }: UnetOptions = {}): Model<"image"> {
  requireCount("unet", "levels", filters.length);
  needOneOf("unet", "gives", gives, ["vector", "places", "image"]);
  const last = filters.length - 1;
  const once = (count: number): Layer[] => [conv(count, 3), ...(norm ? [batchNorm()] : []), relu()];
  const twice = (count: number): Layer[] => [...once(count), ...once(count)];
  const down = filters.flatMap((count, level): NamedPart[] => [
    ...(level === 0 ? [] : [[`halve${level}`, pool(2)] satisfies NamedPart]),
    [`down${level + 1}`, twice(count)],
    ...(level === last ? [] : [[`keep${level + 1}`, tap(`down${level + 1}`)] satisfies NamedPart]),
  ]);
  const up = filters.slice(0, -1).flatMap((count, level): NamedPart[] => [
    [`up${level + 1}`, [upsample(2), conv(count, 2)]],
    [`join${level + 1}`, read(`down${level + 1}`, { join: "concat" })],
    [`after${level + 1}`, twice(count)],
  ]);
  // said from the finest level down; gone through from the coarsest up
  const upwards = Array.from({ length: last }, (_, i) => up.slice(3 * (last - 1 - i), 3 * (last - i))).flat();
  const end: NamedPart[] =
    gives === "vector" ? [["mean", globalPool()]] : gives === "places" ? [["places", patches(1)]] : [];
  return named<"image">("unet", { filters, norm, gives }, [...down, ...upwards, ...end]);
}
