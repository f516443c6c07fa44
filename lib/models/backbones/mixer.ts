import { dense, globalPool, layerNorm, mixing, patches } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { type NamedPart, named } from "../parts/named.ts";

/** Options of `mixer`. */
export interface MixerOptions {
  /** Side of the square patches, which fill the image. Default 4. */
  readonly patch?: number;
  /** Numbers in each vector. Default 64. */
  readonly width?: number;
  /** Blocks. Default 4. */
  readonly depth?: number;
  /** Units of the inner layer across the places. Default half the width. */
  readonly ofPlaces?: number;
  /** Units of the inner layer across the numbers of a place. Default four widths. */
  readonly ofChannels?: number;
  /** Added to the variances. Default 1e-6. */
  readonly epsilon?: number;
}

/**
 * A mixer of multilayer perceptrons: an image is cut into patches, dense layers mix the patches with one another and then the numbers of
 * each, and the mean over the patches is the features.
 *
 * Takes images `[n, height, width, channels]` of one size whose sides `patch` divides, gives `[n, width]`. Tolstikhin et al. 2021,
 * arXiv:2105.01601, section 2 and table 1. Differs from the paper: nothing is dropped.
 *
 * @example
 * ```ts
 * import { mixer } from "thalweg";
 * mixer({ patch: 7, depth: 2 }).features([28, 28, 1]); // [64]
 * ```
 */
export function mixer({
  patch = 4,
  width = 64,
  depth = 4,
  ofPlaces = Math.max(1, Math.floor(width / 2)),
  ofChannels = 4 * width,
  epsilon = 1e-6,
}: MixerOptions = {}): Model<"image"> {
  return named<"image">("mixer", { patch, width, depth, ofPlaces, ofChannels, epsilon }, [
    ["patches", [patches(patch), dense(width)]],
    ...Array.from({ length: depth }, (_, i): NamedPart => [`block${i + 1}`, mixing(ofPlaces, ofChannels, { epsilon })]),
    ["norm", layerNorm({ epsilon })],
    ["mean", globalPool()],
  ]);
}
