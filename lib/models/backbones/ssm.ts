import { needOneOf, needWhole } from "../../data/options.ts";
import type { Layer } from "../layer.ts";
import {
  dense,
  dropout as dropoutLayer,
  embedding,
  gateLoop,
  globalPool,
  last,
  lssl,
  mamba,
  multires,
  s4,
  s4d,
  s5,
  tcnca,
  transformer,
} from "../layers/index.ts";
import type { Model } from "../model.ts";
import { denseNames, type ForeignName } from "../parts/foreign-names.ts";
import { beside, type NamedPart, named } from "../parts/named.ts";
import { type NormName, normLayer } from "../parts/norms.ts";

/** What the blocks of `ssm` can be, from the size of the state. */
const kinds = {
  s4d: (state) => s4d(state),
  s4: (state) => s4(state),
  s5: (state) => s5(state),
  lssl: (state) => lssl(state),
  mamba: (state) => mamba(state === undefined ? {} : { state }),
  gateLoop: () => gateLoop(),
  multires: () => multires(),
  tcnca: () => tcnca(),
  transformer: () => transformer(4, { positions: "none" }),
} as const satisfies Record<string, (state: number | undefined) => Layer>;

/** A layer that `ssm` can stack. */
export type SsmKind = keyof typeof kinds;

/** Options of `ssm`. */
export interface SsmOptions {
  /** The layer of the blocks, or several that take turns: `["mamba", "mamba", "transformer"]`. Default "s4d". */
  readonly kind?: SsmKind | readonly SsmKind[];
  /** How many tokens there are; without it examples are sequences of vectors. */
  readonly tokens?: number;
  /** Numbers in each vector. Default 64. */
  readonly width?: number;
  /** Blocks. Default 4. */
  readonly depth?: number;
  /** The size of the state. Default: that of the layer. */
  readonly state?: number;
  /** How what enters a block is normalised: "layer", "rms", … Default "layer". */
  readonly normalisation?: NormName;
  /** Share of numbers set to 0 in training at the end of each block. Default 0. */
  readonly dropout?: number;
  /** A vector at each place, at the last one, or the mean of all. Default "places". */
  readonly gives?: "places" | "last" | "mean";
}

/**
 * A deep state space model: blocks that add what a layer along the sequence makes of its normalised input, and a last normalisation.
 *
 * Tokens `[n, length]`, or vectors `[n, length, inputs]`, become `[n, length, width]`, or `[n, width]` where it `gives` the last place or the mean. With `kind: "mamba", tokens: 50280, width: 768, depth: 24,
 * normalisation: "rms"` it is the smallest Mamba, whose weights `mambaNames` places. A transformer among the kinds makes it a hybrid; it is a block of its own, with nothing around it.
 *
 * Gu et al. 2021, arXiv:2111.00396, appendix D.2; Gu and Dao 2023, arXiv:2312.00752, section 3.4.
 *
 * Implements: P148 S4 model survey
 * Somvanshi et al. 2025, "A survey on structured state space sequence (S4) models", arXiv:2503.18970: the kinds it compares, from S4 over S5 and Mamba to hybrids with attention.
 *
 * @example
 * ```ts
 * import { ssm } from "thalweg";
 * ssm({ kind: "mamba", tokens: 65, width: 48, depth: 2 }).features([32]); // [32, 48]
 * ssm({ kind: ["s5", "transformer"], width: 16, depth: 2, gives: "mean" }).features([50, 3]); // [16]
 * ```
 */
export function ssm({
  kind = "s4d",
  tokens,
  width = 64,
  depth = 4,
  state,
  normalisation = "layer",
  dropout = 0,
  gives = "places",
}: SsmOptions = {}): Model<"sequence"> {
  const turns = typeof kind === "string" ? [kind] : kind;
  if (turns.length === 0) throw new RangeError("ssm: at least one kind is required, got none");
  for (const one of turns) needOneOf("ssm", "kind", one, Object.keys(kinds));
  needWhole("ssm", "depth", depth);
  needOneOf("ssm", "gives", gives, ["places", "last", "mean"]);
  const norm = (): Layer => normLayer("ssm", normalisation, 1e-5);
  const blocks = Array.from({ length: depth }, (_, i): NamedPart => {
    const own = turns[i % turns.length]!;
    const layer = kinds[own](state);
    if (own === "transformer") return [`block${i + 1}`, layer];
    return [`block${i + 1}`, beside([norm(), layer, ...(dropout > 0 ? [dropoutLayer(dropout)] : [])])];
  });
  const end: NamedPart[] = gives === "places" ? [] : [gives === "last" ? ["last", last()] : ["mean", globalPool()]];
  const options = {
    kind: typeof kind === "string" ? kind : [...kind],
    ...(tokens !== undefined && { tokens }),
    width,
    depth,
    ...(state !== undefined && { state }),
    normalisation,
    ...(dropout > 0 && { dropout }),
    gives,
  };
  return named("ssm", options, [
    tokens === undefined ? ["input", dense(width)] : ["embedding", embedding(tokens, width, { positions: false })],
    ...blocks,
    ["norm", norm()],
    ...end,
  ]);
}

/**
 * Where the tensors of a Mamba file of Hugging Face's transformers go in a network of `ssm` with `depth` blocks of mamba. The head is that of the tokens, transposed; it has no bias.
 *
 * @example
 * ```ts
 * import { mambaNames } from "thalweg";
 * mambaNames(1).at(-1)?.to; // "head/kernel"
 * ```
 */
export function mambaNames(depth: number): readonly ForeignName[] {
  return [
    { from: "backbone.embeddings.weight", to: "model/embedding/tokens/kernel" },
    ...Array.from({ length: depth }).flatMap((_, i) => {
      const [from, to] = [`backbone.layers.${i}.mixer`, `model/block${i + 1}/2-mamba`];
      return [
        { from: `backbone.layers.${i}.norm.weight`, to: `model/block${i + 1}/1-rmsNorm/scale` },
        ...denseNames(`${from}.in_proj`, `${to}/in`, false),
        { from: `${from}.conv1d.weight`, to: `${to}/conv/kernel`, turn: [2, 1, 0] },
        { from: `${from}.conv1d.bias`, to: `${to}/conv/bias` },
        ...denseNames(`${from}.x_proj`, `${to}/select`, false),
        ...denseNames(`${from}.dt_proj`, `${to}/step`),
        { from: `${from}.A_log`, to: `${to}/logA` },
        { from: `${from}.D`, to: `${to}/skip` },
        ...denseNames(`${from}.out_proj`, `${to}/out`, false),
      ];
    }),
    { from: "backbone.norm_f.weight", to: "model/norm/scale" },
    { from: "backbone.embeddings.weight", to: "head/kernel", turn: [1, 0] },
  ];
}
