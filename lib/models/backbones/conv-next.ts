import { type Layer, requireCount } from "../layer.ts";
import { conv, depthwiseConv, gelu, globalPool, layerNorm, layerScale } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { convNames, denseNames, type ForeignName, normNames } from "../parts/foreign-names.ts";
import { beside, type NamedPart, named } from "../parts/named.ts";

/** Options of `convNext`. */
export interface ConvNextOptions {
  /** Side and step of the first convolution. Default 2, for small images; the paper has 4. */
  readonly patch?: number;
  /** Channels of each stage. Default [32, 64, 128]; those of the paper's smallest are [96, 192, 384, 768]. */
  readonly filters?: readonly number[];
  /** Blocks of each stage. Default [2, 2, 2]; those of the paper's smallest are [3, 3, 9, 3]. */
  readonly depths?: readonly number[];
  /** With what the blocks' sums are multiplied at first. Default 1e-6. */
  readonly scale?: number;
}

/**
 * A convolutional network after the pattern of vision transformers: patches, blocks of a 7×7 convolution of each channel by itself and two
 * dense layers at each pixel, normalised by pixel, halved between stages.
 *
 * Takes images `[n, height, width, channels]`, gives `[n, last of filters]`. Weights of Hugging Face's transformers are placed by
 * `convNextNames`. Liu et al. 2022, arXiv:2201.03545, section 2 and figure 4. Differs from the paper: no block is dropped in training.
 *
 * @example
 * ```ts
 * import { convNext } from "thalweg";
 * convNext({ filters: [16, 32], depths: [1, 1] }).features([28, 28, 1]); // [32]
 * ```
 */
export function convNext({
  patch = 2,
  filters = [32, 64, 128],
  depths = [2, 2, 2],
  scale = 1e-6,
}: ConvNextOptions = {}): Model<"image"> {
  requireCount("convNext", "patch", patch);
  if (filters.length !== depths.length || filters.length === 0)
    throw new RangeError(
      `convNext: a depth for each stage is required, got ${filters.length} numbers of filters and ${depths.length} depths`,
    );
  const norm = (): Layer => layerNorm({ epsilon: 1e-6 });
  const block = (count: number): Layer =>
    beside([depthwiseConv(7), norm(), conv(4 * count, 1), gelu({ form: "exact" }), conv(count, 1), layerScale(scale)]);
  const cut = (count: number, side: number): Layer => conv(count, side, { stride: side, pad: "valid" });
  return named<"image">("convNext", { patch, filters, depths, scale }, [
    ["stem", [cut(filters[0]!, patch), norm()]],
    ...filters.flatMap((count, stage) => [
      ...(stage === 0 ? [] : [[`stage${stage + 1}-half`, [norm(), cut(count, 2)]] satisfies NamedPart]),
      ...Array.from({ length: depths[stage]! }, (_, i): NamedPart => [`stage${stage + 1}-block${i + 1}`, block(count)]),
    ]),
    ["mean", globalPool()],
    ["norm", norm()],
  ]);
}

/** Where the tensors of a ConvNeXt file of Hugging Face's transformers go in a network of `convNext` with these depths. */
export function convNextNames(depths: readonly number[]): readonly ForeignName[] {
  return [
    ...convNames("convnext.embeddings.patch_embeddings", "model/stem/1-conv"),
    ...normNames("convnext.embeddings.layernorm", "model/stem/2-layerNorm"),
    ...depths.flatMap((depth, stage) => {
      const half = `convnext.encoder.stages.${stage}.downsampling_layer`;
      const to = `model/stage${stage + 1}`;
      return [
        ...(stage === 0
          ? []
          : [...normNames(`${half}.0`, `${to}-half/1-layerNorm`), ...convNames(`${half}.1`, `${to}-half/2-conv`)]),
        ...Array.from({ length: depth }).flatMap((_, i): ForeignName[] => {
          const [from, own] = [`convnext.encoder.stages.${stage}.layers.${i}`, `${to}-block${i + 1}`];
          return [
            { from: `${from}.dwconv.weight`, to: `${own}/1-depthwiseConv/kernel`, turn: [2, 3, 0, 1] },
            { from: `${from}.dwconv.bias`, to: `${own}/1-depthwiseConv/bias` },
            ...normNames(`${from}.layernorm`, `${own}/2-layerNorm`),
            ...denseNames(`${from}.pwconv1`, `${own}/3-conv`),
            ...denseNames(`${from}.pwconv2`, `${own}/5-conv`),
            { from: `${from}.layer_scale_parameter`, to: `${own}/6-layerScale/scale` },
          ];
        }),
      ];
    }),
    ...normNames("convnext.layernorm", "model/norm"),
    ...denseNames("classifier", "head"),
  ];
}
