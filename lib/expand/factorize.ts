import { needWhole } from "../data/options.ts";
import { random, tf } from "../engine/index.ts";
import { factoredMoe } from "../models/layers/moe/factored-moe.ts";
import { blocksIn, networkOf, piecesOf, sizesOf, tidied } from "../models/parts/pieces.ts";
import { productParams } from "../models/parts/product.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { denseOf, halves, unitsOf } from "./parts/halves.ts";

/** How `factorize` cuts. */
export interface FactorizeOptions {
  /** Into how many experts the dense layers of a block are cut; default 4. */
  readonly experts?: number;
  /** How many of them a place goes to; default half of them. */
  readonly topK?: number;
  /** Weight of the loss by which routers learn; default 0.05. */
  readonly approximate?: number;
  /** Draws the routers; default 0. */
  readonly seed?: number;
}

/**
 * Cuts the dense layers of a trained transformer into experts without changing a number of them, each with a new router in front of it.
 *
 * The inner units go to the experts in their order, as many to each; the second bias is shared out. Where all experts are chosen the network answers as before.
 * A little training follows, of the routers alone, `from(cut, { head: "keep" }).trainOnly("*router")`, or of all: see `factoredMoe` for what routers learn from.
 *
 * Implements: P008 FactorLLM
 * Zhao et al. 2024, "FactorLLM: factorizing knowledge via mixture of experts for large language models", arXiv:2408.11855, section 3, with the prior-approximate
 * loss of the authors' program.
 * Differs from the paper: what routers learn from is the sum of the layer's own experts on what comes into it, where the program keeps a copy of the dense layers
 * and of what came into them in the network before; experts are all computed and multiplied by 0, so that nothing is faster.
 *
 * @throws RangeError where the experts do not divide the inner width; TypeError for blocks that are not like those of `vit` and `gpt`.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 1, heads: 2 });
 * const made = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const { report } = expand.factorize(made, { experts: 4, topK: 2 });
 * report.parameters[1] - report.parameters[0]; // 60
 * ```
 */
export function factorize(network: TrainedNetwork, options: FactorizeOptions = {}): Expanded {
  const { experts = 4, topK = Math.max(1, Math.floor(experts / 2)), approximate = 0.05, seed = 0 } = options;
  needWhole("expand.factorize", "experts", experts);
  return tidied(() => {
    const pieces = piecesOf("expand.factorize", network);
    const blocks = blocksIn("expand.factorize", pieces);
    const made = pieces.flatMap((piece, i) => {
      if (!blocks.includes(i)) return [piece];
      const dense = denseOf("expand.factorize", piece);
      const { inner, width } = sizesOf(piece);
      const layer = factoredMoe(experts, { topK, widen: inner / width, form: dense.form, approximate });
      layer.shape([1, width]);
      const own = Array.from({ length: experts }, (_, e) => {
        const size = inner / experts;
        const pick = (tensor: tf.Tensor, axis: number): tf.Tensor => tf.split(tensor, experts, axis)[e]!;
        return [
          `${e + 1}`,
          unitsOf(dense, size === inner ? (tensor) => tensor : pick, tf.div(dense.down.bias, experts)),
        ] as const;
      });
      const router = productParams(random(seed).at("factorize", i), width, experts);
      return halves(piece, layer, { router, experts: Object.fromEntries(own) });
    });
    return expanded("factorize", { experts, topK, approximate, seed }, network, networkOf(network, made));
  });
}
