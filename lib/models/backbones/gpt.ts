import { embedding, layerNorm, transformer } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { type ForeignName, normNames } from "../parts/foreign-names.ts";
import { type NamedPart, named } from "../parts/named.ts";

/** Options of `gpt`. */
export interface GptOptions {
  /** How many tokens there are: `data.classes.length` of data from a text. Default 256, the bytes. */
  readonly tokens?: number;
  /** Numbers in each vector. Default 64. */
  readonly width?: number;
  /** Blocks of attention and dense layers. Default 4. */
  readonly depth?: number;
  /** Heads of attention; they share the width among them. Default 4. */
  readonly heads?: number;
  /** Width of the inner dense layers, in widths. Default 4. */
  readonly widen?: number;
  /** The longest sequence. Default: the length of those it meets. */
  readonly context?: number;
}

/**
 * A transformer that reads a sequence of tokens from its beginning and gives a vector at each place, for the token that comes next.
 *
 * Tokens `[n, length]` become `[n, length, width]`: a trained vector for each token and for each place, blocks in which a place sees those
 * before it, and a last normalisation. With `tokens: 50257, width: 768, depth: 12, heads: 12, context: 1024` it is GPT-2's smallest, whose
 * weights `gptNames` places.
 *
 * Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.3.
 * Differs from the paper: nothing is dropped, and the head that the stream puts on it has weights of its own; with `headed(gpt(…), tied())`
 * they are those of its tokens, as GPT-2's are.
 *
 * @example
 * ```ts
 * import { gpt } from "thalweg";
 * gpt({ tokens: 65, width: 48, depth: 2 }).features([32]); // [32, 48]
 * ```
 */
export function gpt({
  tokens = 256,
  width = 64,
  depth = 4,
  heads = 4,
  widen = 4,
  context,
}: GptOptions = {}): Model<"sequence"> {
  const blocks = Array.from({ length: depth }, (_, i): NamedPart => [`block${i + 1}`, transformer(heads, { widen })]);
  return named("gpt", { tokens, width, depth, heads, widen, ...(context !== undefined && { context }) }, [
    ["embedding", embedding(tokens, width, context === undefined ? {} : { context })],
    ...blocks,
    ["norm", layerNorm()],
  ]);
}

/**
 * Where the tensors of a GPT-2 file of Hugging Face's transformers go in a network of `gpt` with `depth` blocks. The head is that of the
 * tokens, transposed; it has no bias.
 *
 * @example
 * ```ts
 * import { gptNames } from "thalweg";
 * gptNames(1).at(-2); // { from: "transformer.ln_f.bias", to: "model/norm/shift" }
 * ```
 */
export function gptNames(depth: number): readonly ForeignName[] {
  // its products are stored as ours are, queries, keys and values side by side
  const product = (from: string, to: string): ForeignName[] => [
    { from: `${from}.weight`, to: `${to}/kernel` },
    { from: `${from}.bias`, to: `${to}/bias` },
  ];
  return [
    { from: "transformer.wte.weight", to: "model/embedding/tokens/kernel" },
    { from: "transformer.wpe.weight", to: "model/embedding/places/kernel" },
    ...Array.from({ length: depth }).flatMap((_, i) => {
      const [from, to] = [`transformer.h.${i}`, `model/block${i + 1}`];
      return [
        ...normNames(`${from}.ln_1`, `${to}/before`),
        ...["query", "key", "value"].flatMap((name, part) =>
          product(`${from}.attn.c_attn`, `${to}/${name}`).map((one) => ({ ...one, cut: { part, of: 3 } })),
        ),
        ...product(`${from}.attn.c_proj`, `${to}/out`),
        ...normNames(`${from}.ln_2`, `${to}/between`),
        ...product(`${from}.mlp.c_fc`, `${to}/up`),
        ...product(`${from}.mlp.c_proj`, `${to}/down`),
      ];
    }),
    ...normNames("transformer.ln_f", "model/norm"),
    { from: "transformer.wte.weight", to: "head/kernel", turn: [1, 0] },
  ];
}
