import { tf } from "../../../engine/index.ts";
import { anew } from "../../composite.ts";
import { drawWeights } from "../../initial.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { type TransformerOptions, transformer } from "./transformer.ts";

/** Options of `recursive`: those of its blocks, and how far the times may differ. */
export interface RecursiveOptions extends TransformerOptions {
  /** The rank of what is added to each kernel in each round. Default 0: all rounds are alike. */
  readonly rank?: number;
}

/** The products of a block that have something of their own in each round. */
const products = ["query", "key", "value", "out", "up", "down"];

/**
 * Some blocks of a transformer, gone through several times over with one set of weights, to each kernel of which something of low rank is added that is each round's own.
 *
 * `expand.recursive` makes one of a trained transformer. With `rank` 0 it is `shared`. What is added begins at 0.
 *
 * Implements: P254 Relaxed Recursive Transformers
 * Bae et al. 2024, "Relaxed recursive transformers: effective parameter sharing with layer-wise LoRA", arXiv:2410.20672, section 3, equations 2 and 3.
 * Differs from the paper: no batches of unlike depths; scales of normalisations and biases are shared by all rounds.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 48).recursive(3, 2, 4, { rank: 4 }).layerNorm().features([32]); // [32, 48]
 * ```
 */
export const recursive = sameLayer(
  "recursive",
  (rounds: number, blocks: number, heads: number, { rank = 0, ...options }: RecursiveOptions = {}) => {
    requireCount("recursive", "rounds", rounds);
    requireCount("recursive", "blocks", blocks);
    requireCount("recursive", "rank", rank, 0);
    const block = transformer(heads, options);
    const names = Array.from({ length: blocks }, (_, i) => `block${i + 1}`);
    return {
      options: { rounds, blocks, ...(block.options as { readonly heads: number }), rank },
      shape: block.shape,
      kindOf: ([first]) => (first?.startsWith("round") ? "adapter" : undefined),
      init(rng, input): Params {
        const own = Object.fromEntries(names.map((name) => [name, block.init!(rng.at(name), input)]));
        if (rank === 0) return own;
        const added = (name: string, at: string): Params =>
          Object.fromEntries(
            products.map((part) => {
              const [inputs, units] = ((own[name]![part] as Params).kernel as tf.Tensor).shape as [number, number];
              const down = drawWeights("torch", rng.at(at, name, part), [inputs, rank], inputs, rank);
              return [part, { down, up: tf.zeros([rank, units]) }];
            }),
          );
        const ofRound = (_: unknown, i: number): [string, Params] => [
          `round${i + 1}`,
          Object.fromEntries(names.map((name) => [name, added(name, `round${i + 1}`)])),
        ];
        return { ...own, ...Object.fromEntries(Array.from({ length: rounds }, ofRound)) };
      },
      apply(x, params, mode) {
        let now = x;
        for (let round = 1; round <= rounds; round++) {
          const added = params[`round${round}`] as Params | undefined;
          for (const name of names) {
            const own = withAdded(params[name] as Params, added?.[name] as Params | undefined);
            now = block.apply(now, own, anew(mode, round).at(name));
          }
        }
        return now;
      },
    };
  },
  ["sequence"],
);

/** The tensors of a block with what a round adds to its kernels. */
function withAdded(block: Params, added: Params | undefined): Params {
  if (added === undefined) return block;
  const changed = Object.entries(added).map(([part, tree]) => {
    const { down, up } = tree as { readonly down: tf.Tensor2D; readonly up: tf.Tensor2D };
    const { kernel, ...rest } = block[part] as { readonly kernel: tf.Tensor };
    return [part, { ...rest, kernel: tf.add(kernel, tf.matMul(down, up)) }];
  });
  return { ...block, ...Object.fromEntries(changed) };
}
