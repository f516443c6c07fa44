import { needOneOf } from "../../data/options.ts";
import type { Layer } from "../layer.ts";
import {
  classToken,
  dense,
  first,
  globalPool,
  patches,
  positions,
  type TransformerOptions,
  transformer,
} from "../layers/index.ts";
import type { Model } from "../model.ts";
import { denseNames, type ForeignName, normNames, turnedFilter } from "../parts/foreign-names.ts";
import { type NamedPart, named } from "../parts/named.ts";
import { normLayer } from "../parts/norms.ts";
import type { GeluForm } from "../parts/options.ts";

/** Options of `vit`; some of `transformer` are its blocks'. */
export interface VitOptions
  extends Pick<
    TransformerOptions,
    "kvHeads" | "queryKeyNorm" | "normalisation" | "activation" | "residual" | "dropout"
  > {
  /** Side of the square patches, which fill the image. Default 4. */
  readonly patch?: number;
  /** Numbers in each vector. Default 64. */
  readonly width?: number;
  /** Blocks of attention and dense layers. Default 4. */
  readonly depth?: number;
  /** Heads of attention; they share the width among them. Default 4. */
  readonly heads?: number;
  /** Width of the inner dense layers, in widths. Default 4. */
  readonly widen?: number;
  /** How places are told apart: by trained vectors, by fixed waves, or not at all. Default "learned". */
  readonly positions?: "learned" | "sinusoidal" | "none";
  /** Whether a trained vector goes before the patches. Default: where the features are what becomes of it. */
  readonly classToken?: boolean;
  /** What the features are: what became of the class token, or the mean over all places. Default "class". */
  readonly pool?: "class" | "mean";
  /** The form of the Gaussian error linear unit. Default "exact". */
  readonly gelu?: GeluForm;
  /** Added to the variances. Default 1e-6. */
  readonly epsilon?: number;
  /** Whether queries, keys and values have biases. Default true. */
  readonly qkvBias?: boolean;
}

/**
 * A vision transformer: an image is cut into patches, which are a sequence of vectors for blocks in which every place sees every other.
 *
 * Takes images `[n, height, width, channels]` whose sides `patch` divides, gives `[n, width]`. With `patch: 16, width: 768, depth: 12,
 * heads: 12, epsilon: 1e-12` it is ViT-B/16, whose weights `vitNames` places.
 *
 * Dosovitskiy et al. 2021, arXiv:2010.11929, section 3.1. Differs from the paper: nothing is dropped.
 *
 * @example
 * ```ts
 * import { vit } from "thalweg";
 * vit({ patch: 7, width: 48, depth: 2 }).features([28, 28, 1]); // [48]
 * ```
 */
export function vit({
  patch = 4,
  width = 64,
  depth = 4,
  heads = 4,
  widen = 4,
  positions: places = "learned",
  pool = "class",
  classToken: hasToken = pool === "class",
  gelu = "exact",
  epsilon = 1e-6,
  qkvBias = true,
  ...rest
}: VitOptions = {}): Model<"image"> {
  needOneOf("vit", "positions", places, ["learned", "sinusoidal", "none"]);
  needOneOf("vit", "pool", pool, ["class", "mean"]);
  if (pool === "class" && !hasToken)
    throw new RangeError('vit: a class token is required where the features are its, got none; use pool: "mean"');
  const options = { patch, width, depth, heads, widen, positions: places, classToken: hasToken, pool, gelu, epsilon };
  const block = (): Layer => transformer(heads, { widen, causal: false, gelu, epsilon, bias: qkvBias, ...rest });
  return named<"image">("vit", { ...options, qkvBias, ...rest }, [
    ["patches", [patches(patch), dense(width)]],
    ...(hasToken ? [["class", classToken()] satisfies NamedPart] : []),
    ...(places === "none" ? [] : [["positions", positions({ kind: places })] satisfies NamedPart]),
    ...Array.from({ length: depth }, (_, i): NamedPart => [`block${i + 1}`, block()]),
    ["norm", normLayer("vit", rest.normalisation ?? "layer", epsilon)],
    ["pool", pool === "class" ? first() : globalPool()],
  ]);
}

/** What `vitNames` can be told. */
export interface VitNamesOptions {
  /** As for `vit`. Default true. */
  readonly qkvBias?: boolean;
}

/**
 * Where the tensors of a ViT file of Hugging Face's transformers go in a network of `vit` with `depth` blocks and a class token.
 *
 * @example
 * ```ts
 * import { vitNames } from "thalweg";
 * vitNames(1)[0]; // { from: "vit.embeddings.cls_token", to: "model/class/token" }
 * ```
 */
export function vitNames(depth: number, { qkvBias = true }: VitNamesOptions = {}): readonly ForeignName[] {
  const projection = "vit.embeddings.patch_embeddings.projection";
  return [
    { from: "vit.embeddings.cls_token", to: "model/class/token" },
    { from: "vit.embeddings.position_embeddings", to: "model/positions/places" },
    { from: `${projection}.weight`, to: "model/patches/2-dense/kernel", turn: turnedFilter },
    { from: `${projection}.bias`, to: "model/patches/2-dense/bias" },
    ...Array.from({ length: depth }).flatMap((_, i) => {
      const [from, to] = [`vit.encoder.layer.${i}`, `model/block${i + 1}`];
      return [
        ...normNames(`${from}.layernorm_before`, `${to}/before`),
        ...["query", "key", "value"].flatMap((part) =>
          denseNames(`${from}.attention.attention.${part}`, `${to}/${part}`, qkvBias),
        ),
        ...denseNames(`${from}.attention.output.dense`, `${to}/out`),
        ...normNames(`${from}.layernorm_after`, `${to}/between`),
        ...denseNames(`${from}.intermediate.dense`, `${to}/up`),
        ...denseNames(`${from}.output.dense`, `${to}/down`),
      ];
    }),
    ...normNames("vit.layernorm", "model/norm"),
    ...denseNames("classifier", "head"),
  ];
}
