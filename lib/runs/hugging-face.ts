/** Models of Hugging Face's transformers, from their folders. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Shape } from "../data/dataset.ts";
import { convNext, convNextNames } from "../models/backbones/conv-next.ts";
import { gpt, gptNames } from "../models/backbones/gpt.ts";
import { vit, vitNames } from "../models/backbones/vit.ts";
import type { Model } from "../models/model.ts";
import type { ForeignName } from "../models/parts/foreign-names.ts";
import type { HostArray } from "../models/parts/host.ts";
import { tensorsAt } from "../models/parts/tensors-at.ts";
import { type LoadedWeights, type WeightsOptions, weightsFrom } from "./load-weights.ts";

/** What `huggingFace` can be told. */
export interface HuggingFaceOptions extends Pick<WeightsOptions, "partial" | "seed"> {
  /** A name for each column of the head; default those of the configuration. */
  readonly classes?: readonly string[];
}

/** The numbers, words and switches of a `config.json`. */
type Config = { readonly [name: string]: unknown };

/** A kind of model: how it is made of its configuration, and where its tensors go. */
interface Family {
  /** What stands before the names of the body's tensors in a file with a head. */
  readonly prefix: string;
  /** Numbers of the configuration that the model must have. */
  readonly asks: { readonly [name: string]: unknown };
  model(config: Config): Model;
  input(config: Config): Shape;
  names(config: Config): readonly ForeignName[];
}

const families: Readonly<Record<string, Family>> = {
  vit: {
    prefix: "vit.",
    asks: { hidden_act: "gelu" },
    model: (c) =>
      vit({
        patch: number(c, "patch_size"),
        width: number(c, "hidden_size"),
        depth: number(c, "num_hidden_layers"),
        heads: number(c, "num_attention_heads"),
        widen: number(c, "intermediate_size") / number(c, "hidden_size"),
        epsilon: number(c, "layer_norm_eps", 1e-12),
        qkvBias: c.qkv_bias !== false,
      }),
    input: image,
    names: (c) => vitNames(number(c, "num_hidden_layers"), { qkvBias: c.qkv_bias !== false }),
  },
  gpt2: {
    prefix: "transformer.",
    asks: {
      activation_function: "gelu_new",
      layer_norm_epsilon: 1e-5,
      add_cross_attention: false,
      scale_attn_weights: true,
      scale_attn_by_inverse_layer_idx: false,
    },
    model: (c) =>
      gpt({
        tokens: number(c, "vocab_size"),
        width: number(c, "n_embd"),
        depth: number(c, "n_layer"),
        heads: number(c, "n_head"),
        widen: typeof c.n_inner === "number" ? c.n_inner / number(c, "n_embd") : 4,
        context: number(c, "n_positions"),
      }),
    input: (c) => [number(c, "n_positions")],
    names: (c) => [
      ...gptNames(number(c, "n_layer")).filter(({ to }) => to !== "head/kernel"),
      { from: "lm_head.weight", to: "head/kernel", turn: [1, 0] },
      { from: "lm_head.bias", to: "head/bias" },
    ],
  },
  convnext: {
    prefix: "convnext.",
    asks: { hidden_act: "gelu" },
    model: (c) =>
      convNext({
        patch: number(c, "patch_size"),
        filters: c.hidden_sizes as readonly number[],
        depths: c.depths as readonly number[],
      }),
    input: image,
    names: (c) => convNextNames(c.depths as readonly number[]),
  },
};

/**
 * The network in a folder that `save_pretrained` of Hugging Face's transformers wrote, or that was downloaded: `config.json` and weights as
 * safetensors, in one file or several. Takes ViT, ConvNeXt and GPT-2, with their heads or without: a head that is not there is drawn, and
 * the table says so.
 *
 * Images must come to it as its `preprocessor_config.json` says (size, mean, deviation): `net().normalise(…)` or an operator of the stream
 * does that. GPT-2 takes whole contexts of tokens `[n, n_positions]`; its head is that of the tokens.
 *
 * @throws Error when the folder has no configuration or weights, or tensors are missing; TypeError for a kind of model, or an activation,
 * that is not there.
 *
 * ```
 * const { network, table } = huggingFace("vit-base-patch16-224");
 * stream.learn(from(network).freeze("block*"));
 * ```
 */
export function huggingFace(folder: string, { classes, ...options }: HuggingFaceOptions = {}): LoadedWeights {
  const path = join(folder, "config.json");
  if (!existsSync(path))
    throw new Error(
      `huggingFace: a folder with a config.json is required, got ${folder}; save the model with save_pretrained`,
    );
  const config = JSON.parse(readFileSync(path, "utf8")) as Config;
  const family = families[String(config.model_type)];
  if (family === undefined)
    throw new TypeError(
      `huggingFace: a model of ${Object.keys(families).join(", ")} is required, got "${String(config.model_type)}" in ${path}; make the model and use loadWeights`,
    );
  for (const [name, wanted] of Object.entries(family.asks))
    if (config[name] !== undefined && config[name] !== wanted)
      throw new TypeError(
        `huggingFace: ${name} ${JSON.stringify(wanted)} is required, got ${JSON.stringify(config[name])} in ${path}`,
      );
  const file = withHead(tensorsAt(folder, "huggingFace"), family, config);
  const model = family.model(config);
  return weightsFrom(model, file, {
    ...options,
    path: folder,
    input: family.input(config),
    names: family.names(config),
    classes: classes ?? classesOf(config),
  });
}

/** The tensors under the names that they have in a file with a head. */
function withHead(
  file: ReadonlyMap<string, HostArray>,
  { prefix }: Family,
  { model_type: kind }: Config,
): ReadonlyMap<string, HostArray> {
  const bare = ![...file.keys()].some((name) => name.startsWith(prefix));
  const all = new Map([...file].map(([name, array]) => [bare ? prefix + name : name, array]));
  if (kind !== "gpt2") return all;
  // its head is that of its tokens unless it has one of its own, and has no bias: ours is 0
  const own = all.get("lm_head.weight") ?? all.get("transformer.wte.weight");
  if (own === undefined) return all;
  const columns = own.shape[0]!;
  const bias: HostArray = { data: new Float32Array(columns), shape: [columns], dtype: "float32" };
  return new Map([...all, ["lm_head.weight", own], ["lm_head.bias", bias]]);
}

/** The names of the classes in the configuration: of tokens, their numbers. */
function classesOf(config: Config): readonly string[] {
  if (typeof config.vocab_size === "number") return Array.from({ length: config.vocab_size }, (_, i) => `${i}`);
  const names = Object.entries(
    (config.id2label ?? { 0: "LABEL_0", 1: "LABEL_1" }) as { readonly [index: string]: string },
  );
  return names.sort(([a], [b]) => Number(a) - Number(b)).map(([, name]) => name);
}

/** The shape of an image in the configuration. */
function image(config: Config): Shape {
  const size = number(config, "image_size", 224);
  return [size, size, number(config, "num_channels", 3)];
}

function number(config: Config, name: string, usual?: number): number {
  const value = config[name] ?? usual;
  if (typeof value === "number") return value;
  throw new TypeError(
    `huggingFace: a number is required as ${name} of the configuration, got ${JSON.stringify(config[name])}`,
  );
}
