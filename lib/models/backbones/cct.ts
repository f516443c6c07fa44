import { needOneOf } from "../../data/options.ts";
import type { Initial } from "../initial.ts";
import { requireCount } from "../layer.ts";
import { conv, layerNorm, patches, pool, positions, relu, sequencePool, transformer } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { type NamedPart, named } from "../parts/named.ts";

/** Options of `cct`. */
export interface CctOptions {
  /** Blocks of attention and dense layers. Default 2. */
  readonly depth?: number;
  /** Numbers in each vector. Default 128. */
  readonly width?: number;
  /** Heads of attention; they share the width among them. Default 2. */
  readonly heads?: number;
  /** Width of the inner dense layers, in widths. Default 1. */
  readonly widen?: number;
  /** Convolutions that make the tokens; each halves the image. Default 2. */
  readonly convolutions?: number;
  /** Side of their windows, odd. Default 3. */
  readonly window?: number;
  /** Filters of all but the last of them, which has the width. Default 64. */
  readonly filters?: number;
  /** How places are told apart: by trained vectors, by fixed waves, or not at all. Default "learned". */
  readonly positions?: "learned" | "sinusoidal" | "none";
  /** How the convolutions begin. Default "he". */
  readonly initial?: Initial;
}

/**
 * A compact convolutional transformer: convolutions with rectifier and pooling make the tokens, a small encoder reads them, and a trained
 * mean over the sequence stands in for a class token.
 *
 * Takes images `[n, height, width, channels]`, gives `[n, width]`. The defaults are CCT-2/3×2, 0.28 million parameters for 32×32×3; with
 * `depth: 7, width: 256, heads: 4, widen: 2, convolutions: 1` it is CCT-7/3×1, 3.76 million.
 *
 * Implements: P371 Compact Transformers (CCT)
 * Hassani et al. 2021, arXiv:2104.05704: tokenizer in section 3.3 (equation 5), sequence pooling in section 3.2, sizes in its appendix.
 * Differs from the paper: nothing is dropped; blocks normalise before both of their halves, as the paper says, where its authors' program
 * normalises what passes by as well.
 *
 * @example
 * ```ts
 * import { cct } from "thalweg";
 * cct().features([32, 32, 3]); // [128]
 * ```
 */
export function cct({
  depth = 2,
  width = 128,
  heads = 2,
  widen = 1,
  convolutions = 2,
  window = 3,
  filters = 64,
  positions: places = "learned",
  initial = "he",
}: CctOptions = {}): Model<"image"> {
  requireCount("cct", "convolutions", convolutions);
  if (window % 2 !== 1) throw new RangeError(`cct: a window of odd side is required, got ${window}`);
  needOneOf("cct", "positions", places, ["learned", "sinusoidal", "none"]);
  const options = { depth, width, heads, widen, convolutions, window, filters, positions: places, initial };
  const tokenizer = Array.from({ length: convolutions }).flatMap((_, i) => [
    conv(i === convolutions - 1 ? width : filters, window, { pad: (window - 1) / 2, bias: false, initial }),
    relu(),
    pool(3, { stride: 2, pad: 1 }),
  ]);
  const block = () => transformer(heads, { widen, causal: false, gelu: "exact", bias: false });
  return named<"image">("cct", options, [
    ["tokenizer", [...tokenizer, patches(1)]],
    ...(places === "none" ? [] : [["positions", positions({ kind: places })] satisfies NamedPart]),
    ...Array.from({ length: depth }, (_, i): NamedPart => [`block${i + 1}`, block()]),
    ["norm", layerNorm()],
    ["pool", sequencePool()],
  ]);
}
