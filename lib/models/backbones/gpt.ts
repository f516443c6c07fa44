import { needOneOf, needWhole } from "../../data/options.ts";
import type { Layer } from "../layer.ts";
import { embedding, lime, mudd, muddOutput, shared, type TransformerOptions, transformer } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { denseNames, type ForeignName, normNames } from "../parts/foreign-names.ts";
import { inRow, type NamedPart, named } from "../parts/named.ts";
import { normLayer } from "../parts/norms.ts";

const kinds = { transformer, lime, mudd } as const;

/** Options of `gpt`; those of `transformer` are its blocks'. */
export interface GptOptions extends Omit<TransformerOptions, "causal" | "norm" | "positions"> {
  /** How many tokens there are: `data.classes.length` of data from a text. Default 256, the bytes. */
  readonly tokens?: number;
  /** Numbers in each vector. Default 64. */
  readonly width?: number;
  /** Blocks of attention and dense layers. Default 4. */
  readonly depth?: number;
  /** Heads of attention; they share the width among them. Default 4. */
  readonly heads?: number;
  /** The longest sequence, where places have trained vectors. Default: the length of those it meets. */
  readonly context?: number;
  /** How places are told apart: by trained vectors ("learned"), or by attention, as `transformer` says. Default "learned". */
  readonly positions?: "learned" | NonNullable<TransformerOptions["positions"]>;
  /** What its blocks are: of `transformer`, or such as read all earlier layers, of `lime` or `mudd`. Default "transformer". */
  readonly blocks?: "transformer" | "lime" | "mudd";
  /** How many times each block is gone through, first to last: `[3, 2, 1, 1]`. Default: once. */
  readonly reuse?: readonly number[];
}

/**
 * A transformer that reads a sequence of tokens from its beginning and gives a vector at each place, for the token that comes next.
 *
 * Tokens `[n, length]` become `[n, length, width]`: a trained vector for each token and for each place, blocks in which a place sees those
 * before it, and a last normalisation. With `tokens: 50257, width: 768, depth: 12, heads: 12, context: 1024` it is GPT-2's smallest, whose
 * weights `gptNames` places; with `positions: "rotary", normalisation: "rms", activation: "swiglu", bias: "none"` it is a Llama, whose weights
 * `llamaNames` places.
 *
 * Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.3; Touvron et al. 2023, arXiv:2302.13971, section 2.2.
 * Differs from the paper: nothing is dropped unless `dropout` says so, and the head that the stream puts on it has weights of its own; with
 * `headed(gpt(…), tied())` they are those of its tokens, as GPT-2's are.
 *
 * Implements: P069 Intra-Layer Recurrence
 * Nguyen and Lin 2025, arXiv:2505.01855, section 3: `reuse` goes through each block several times in one pass, with one set of weights.
 *
 * @throws RangeError when `reuse` has not a number for each block.
 *
 * @example
 * ```ts
 * import { gpt } from "thalweg";
 * gpt({ tokens: 65, width: 48, depth: 2 }).features([32]); // [32, 48]
 * gpt({ depth: 2, kvHeads: 1, positions: "rotary", normalisation: "rms", activation: "swiglu", bias: "none" }).features([32]); // [32, 64]
 * ```
 */
export function gpt({
  tokens = 256,
  width = 64,
  depth = 4,
  heads = 4,
  widen = 4,
  context,
  positions = "learned",
  blocks = "transformer",
  reuse = [],
  ...rest
}: GptOptions = {}): Model<"sequence"> {
  needOneOf("gpt", "positions", positions, ["learned", "none", "rotary", "alibi", "cape"]);
  needOneOf("gpt", "blocks", blocks, Object.keys(kinds));
  if (reuse.length > 0 && blocks !== "transformer")
    throw new TypeError(`gpt: reuse needs blocks of "transformer", got "${blocks}"`);
  if (reuse.length !== 0 && reuse.length !== depth)
    throw new RangeError(`gpt: reuse of ${depth} numbers, one for each block, is required, got ${reuse.length}`);
  for (const times of reuse) needWhole("gpt", "reuse", times);
  const places = positions === "learned";
  const { epsilon = 1e-5, normalisation = "layer" } = rest;
  const block = (): Layer => kinds[blocks](heads, { widen, ...(!places && { positions }), ...rest });
  const options = { tokens, width, depth, heads, widen, ...(context !== undefined && { context }) };
  const rarer = {
    ...(!places && { positions }),
    ...(blocks !== "transformer" && { blocks }),
    ...(reuse.length > 0 && { reuse: [...reuse] }),
    ...rest,
  };
  return named("gpt", { ...options, ...rarer }, [
    [
      "embedding",
      embedding(tokens, width, { ...(!places && { positions: false }), ...(context !== undefined && { context }) }),
    ],
    ...Array.from({ length: depth }, (_, i): NamedPart => {
      const times = reuse[i] ?? 1;
      return [`block${i + 1}`, times === 1 ? block() : shared(times, inRow([block()]))];
    }),
    ...(blocks === "mudd" ? [["depth", muddOutput()] satisfies NamedPart] : []),
    ["norm", normLayer("gpt", normalisation, epsilon)],
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

/** What `llamaNames` can be told. */
export interface LlamaNamesOptions {
  /** Whether queries and keys are normalised, as Qwen3's are. Default false. */
  readonly queryKeyNorm?: boolean;
}

/**
 * Where the tensors of a Llama file of Hugging Face's transformers go in a network of `gpt` with `depth` blocks; those of Mistral and Qwen3 as well. The head has no bias.
 *
 * @example
 * ```ts
 * import { llamaNames } from "thalweg";
 * llamaNames(1).at(-2); // { from: "model.norm.weight", to: "model/norm/scale" }
 * ```
 */
export function llamaNames(depth: number, { queryKeyNorm = false }: LlamaNamesOptions = {}): readonly ForeignName[] {
  return [
    { from: "model.embed_tokens.weight", to: "model/embedding/tokens/kernel" },
    ...Array.from({ length: depth }).flatMap((_, i) => {
      const [from, to] = [`model.layers.${i}`, `model/block${i + 1}`];
      const scale = (theirs: string, ours: string): ForeignName => ({
        from: `${from}.${theirs}.weight`,
        to: `${to}/${ours}/scale`,
      });
      const products = { query: "q", key: "k", value: "v", out: "o" };
      return [
        scale("input_layernorm", "before"),
        ...Object.entries(products).flatMap(([ours, theirs]) =>
          denseNames(`${from}.self_attn.${theirs}_proj`, `${to}/${ours}`, false),
        ),
        ...(queryKeyNorm ? [scale("self_attn.q_norm", "queryNorm"), scale("self_attn.k_norm", "keyNorm")] : []),
        scale("post_attention_layernorm", "between"),
        ...["gate", "up", "down"].flatMap((part) => denseNames(`${from}.mlp.${part}_proj`, `${to}/${part}`, false)),
      ];
    }),
    { from: "model.norm.weight", to: "model/norm/scale" },
    ...denseNames("lm_head", "head", false),
  ];
}
