import { needOneOf } from "../../data/options.ts";
import type { Initial } from "../initial.ts";
import { type Layer, requireCount } from "../layer.ts";
import { batchNorm, conv, globalPool, pool, relu } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { convNames, type ForeignName, normNames } from "../parts/foreign-names.ts";
import { beside, type NamedPart, named } from "../parts/named.ts";

/** Options of `resnet`. */
export interface ResnetOptions {
  /** Layers with weights, the head among them: 18, 34, 50, 101, 152, or 6n + 2 (20, 32, 44, 56, 110) for three stages. Default 18. */
  readonly depth?: number;
  /** Filters of the first stage; each later one has twice as many as the one before. Default 20; the paper has 64, or 16 in three stages. */
  readonly filters?: number;
  /** "small" images: 3×3 filters; "large" ones: 7×7 at every second place, then pooling. Default "small". */
  readonly stem?: "small" | "large";
  /** How weights begin. Default "torch". */
  readonly initial?: Initial;
}

/** Blocks of each stage of the depths in the paper's table 1. */
const stagesOf: Readonly<Record<number, readonly number[]>> = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
};

/**
 * A residual network of any depth: a stem, stages of blocks that add to what passes them by, and the mean over what is left of the image.
 *
 * Blocks have two convolutions of 3×3, from 50 layers on three of 1×1, 3×3 and 1×1, of which the last has four times the filters.
 * Takes images `[n, height, width, channels]`, gives `[n, last filters]`. With `filters: 64, stem: "large"` it is torchvision's network
 * of its depth, whose weights `resnetNames` places.
 *
 * He et al. 2016, arXiv:1512.03385, table 1 and section 4.2; where a stage halves the image, the 3×3 convolution does, as in torchvision.
 * Differs from the paper: in three stages too the shortcut is a convolution of 1×1 where shapes change (its option B).
 *
 * @throws RangeError for a depth that is none of these.
 *
 * @example
 * ```ts
 * import { resnet } from "thalweg";
 * resnet({ depth: 50, filters: 64, stem: "large" }).features([64, 64, 3]); // [2048]
 * resnet({ depth: 20, filters: 16 }).features([32, 32, 3]); // [64]
 * ```
 */
export function resnet({
  depth = 18,
  filters = 20,
  stem = "small",
  initial = "torch",
}: ResnetOptions = {}): Model<"image"> {
  requireCount("resnet", "filters", filters);
  needOneOf("resnet", "stem", stem, ["small", "large"]);
  const convolution = (count: number, window: number, stride = 1): Layer =>
    conv(count, window, { stride, pad: (window - 1) / 2, bias: false, initial });
  const block = (count: number, stride: number, isChanged: boolean): Layer[] => {
    const wide = isBottleneck(depth) ? 4 * count : count;
    const inner = isBottleneck(depth)
      ? [convolution(count, 1), batchNorm(), relu(), convolution(count, 3, stride), batchNorm(), relu()]
      : [convolution(count, 3, stride), batchNorm(), relu()];
    const body = [...inner, convolution(wide, isBottleneck(depth) ? 1 : 3), batchNorm()];
    return [beside(body, isChanged ? [convolution(wide, 1, stride), batchNorm()] : undefined), relu()];
  };
  const begin = [convolution(filters, stem === "large" ? 7 : 3, stem === "large" ? 2 : 1), batchNorm(), relu()];
  return named<"image">("resnet", { depth, filters, stem, initial }, [
    ["stem", stem === "large" ? [...begin, pool(3, { stride: 2, pad: 1 })] : begin],
    ...blocksOf(depth).map(
      ({ name, stage, at, isChanged }): NamedPart => [
        name,
        block(filters * 2 ** stage, stage > 0 && at === 0 ? 2 : 1, isChanged),
      ],
    ),
    ["mean", globalPool()],
  ]);
}

/** Where the tensors and running statistics of torchvision's file of a residual network go in one of `resnet`. */
export function resnetNames(depth: number): readonly ForeignName[] {
  const norm = (from: string, to: string): ForeignName[] => [
    ...normNames(from, `model/${to}`),
    { from: `${from}.running_mean`, to: `statistics/${to}/mean` },
    { from: `${from}.running_var`, to: `statistics/${to}/variance` },
  ];
  const both = (conv: string, bn: string, to: string, at: number): ForeignName[] => [
    ...convNames(conv, `model/${to}/${at}-conv`, false),
    ...norm(bn, `${to}/${at + 1}-batchNorm`),
  ];
  return [
    ...both("conv1", "bn1", "stem", 1),
    ...blocksOf(depth).flatMap(({ name, stage, at, isChanged }) => {
      const [from, to] = [`layer${stage + 1}.${at}`, `${name}/1-residual`];
      const convolutions = isBottleneck(depth) ? [1, 2, 3] : [1, 2];
      return [
        ...convolutions.flatMap((i) => both(`${from}.conv${i}`, `${from}.bn${i}`, to, 3 * i - 2)),
        ...(isChanged ? both(`${from}.downsample.0`, `${from}.downsample.1`, `${to}/skip`, 1) : []),
      ];
    }),
    { from: "fc.weight", to: "head/kernel", turn: [1, 0] },
    { from: "fc.bias", to: "head/bias" },
  ];
}

const isBottleneck = (depth: number): boolean => depth >= 50 && stagesOf[depth] !== undefined;

/** Every block: its name, its stage and place there, and whether what passes by has to change its shape. */
function blocksOf(depth: number) {
  const isThree = Number.isInteger(depth) && depth >= 8 && (depth - 2) % 6 === 0;
  const counts = stagesOf[depth] ?? (isThree ? [0, 0, 0].map(() => (depth - 2) / 6) : null);
  if (counts === null)
    throw new RangeError(
      `resnet: a depth of 18, 34, 50, 101, 152 or 6n + 2 (20, 32, 44, 56, 110) is required, got ${depth}`,
    );
  return counts.flatMap((count, stage) =>
    Array.from({ length: count }, (_, at) => ({
      name: `stage${stage + 1}-block${at + 1}`,
      stage,
      at,
      isChanged: at === 0 && (stage > 0 || isBottleneck(depth)),
    })),
  );
}
