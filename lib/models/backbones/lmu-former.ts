import { needOneOf, needWhole } from "../../data/options.ts";
import type { Layer } from "../layer.ts";
import { batchNorm, causalConv, dense, embedding, gelu, globalPool, last, lif, lmu, relu } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { beside, type NamedPart, named } from "../parts/named.ts";

/** Options of `lmuFormer`. */
export interface LmuFormerOptions {
  /** How many tokens there are; without it examples are sequences of vectors. */
  readonly tokens?: number;
  /** Numbers in each vector. Default 64. */
  readonly width?: number;
  /** Blocks of a memory and a mixer of channels. Default 1. */
  readonly depth?: number;
  /** Coefficients of each memory. Default 32. */
  readonly order?: number;
  /** Places that a memory keeps. Default 128. */
  readonly window?: number;
  /** Whether what would be rectified are neurons that fire: their states are memories of their own. Default false. */
  readonly spiking?: boolean;
  /** A vector at each place, at the last one, or the mean of all. Default "places". */
  readonly gives?: "places" | "last" | "mean";
}

/**
 * Legendre memory units in the place of a transformer's attention: convolutions along the sequence put places into vectors, blocks add what a memory and what a mixer of
 * channels make of them.
 *
 * Four convolutions of 3 places, each normalised over the batch and rectified, and a fifth that is added; then in each block a memory with a normalised product after it, and two products, four
 * times as wide between, normalised as well. Each place sees those before it alone, so that it goes along a sequence place by place (`stepping`) as it learned from whole ones.
 *
 * Implements: P081 LMUFormer
 *
 * Liu, Datta, Li and Beerel 2024, "LMUFormer: low complexity yet powerful spiking model with Legendre memory units", arXiv:2402.04882, section 4, and the authors' program.
 * Differs from the paper: convolutions see no place that is to come, where theirs see one, and are those of each channel with a product after; within the spiking memory nothing is normalised.
 *
 * @example
 * ```ts
 * import { lmuFormer } from "thalweg";
 * lmuFormer({ width: 16, gives: "mean" }).features([100, 12]); // [16]
 * ```
 */
export function lmuFormer({
  tokens,
  width = 64,
  depth = 1,
  order = 32,
  window = 128,
  spiking = false,
  gives = "places",
}: LmuFormerOptions = {}): Model<"sequence"> {
  needWhole("lmuFormer", "depth", depth);
  needOneOf("lmuFormer", "gives", gives, ["places", "last", "mean"]);
  const act = (otherwise: Layer): Layer => (spiking ? lif() : otherwise);
  const patch = (): Layer[] => [causalConv(3), dense(width), batchNorm(), act(relu())];
  const embed: NamedPart[] = Array.from({ length: 4 }, (_, i) => [`patch${i + 1}`, patch()]);
  const blocks = Array.from({ length: depth }).flatMap((_, i): NamedPart[] => [
    [
      `memory${i + 1}`,
      beside([
        ...(spiking ? [batchNorm(), lif()] : []),
        lmu(width, { order, window, spiking }),
        dense(width),
        batchNorm(),
      ]),
    ],
    [`mixer${i + 1}`, beside([dense(4 * width), batchNorm(), act(gelu()), dense(width), batchNorm()])],
  ]);
  const end: NamedPart[] = gives === "places" ? [] : [gives === "last" ? ["last", last()] : ["mean", globalPool()]];
  const options = { ...(tokens !== undefined && { tokens }), width, depth, order, window, spiking, gives };
  return named("lmuFormer", options, [
    ...(tokens === undefined ? [] : [["embedding", embedding(tokens, width, { positions: false })] as NamedPart]),
    ...embed,
    ["places", beside([causalConv(3), dense(width)])],
    ...blocks,
    ...end,
  ]);
}
