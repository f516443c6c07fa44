/** Layers as a policy sees them, and made smaller as it says. */
import type { Layer } from "../../models/layer.ts";
import { dense } from "../../models/layers/basic/dense.ts";
import { conv } from "../../models/layers/conv/conv.ts";

const kinds = [
  "conv",
  "dense",
  "relu",
  "leakyRelu",
  "gelu",
  "silu",
  "tanh",
  "sigmoid",
  "batchNorm",
  "layerNorm",
  "groupNorm",
  "rmsNorm",
  "dropout",
  "residual",
  "transformer",
];

/** Whether what comes after a layer can do without it: it has no step. */
export function canGo({ name, options }: Layer): boolean {
  return kinds.includes(name) && ((options as { readonly stride?: number }).stride ?? 1) === 1;
}

type Sized = {
  readonly filters?: number;
  readonly units?: number;
  readonly window?: number;
  readonly stride?: number;
  readonly groups?: number;
};

/** The window and the units of a layer that can be made smaller. */
export function sizesOf({ name, options }: Layer): { readonly window: number; readonly units: number } | null {
  const { filters, units, window = 1, groups = 1 } = options as Sized;
  if (name === "conv" && groups === 1) return { window, units: filters! };
  return name === "dense" ? { window: 1, units: units! } : null;
}

/** What a policy sees of a layer: its kind, window, step, units and borders. */
export function seenOf(layer: Layer, all: readonly Layer[]): number[] {
  const sizes = all.flatMap((each) => sizesOf(each) ?? []);
  const [widest, most] = [
    Math.max(1, ...sizes.map(({ window }) => window)),
    Math.max(1, ...sizes.map(({ units }) => units)),
  ];
  const { window = 0, units = 0 } = sizesOf(layer) ?? {};
  const { stride = 0, pad } = layer.options as Sized & { readonly pad?: unknown };
  const border = typeof pad === "number" ? pad : pad === "same" ? (window - 1) / 2 : 0;
  return [(kinds.indexOf(layer.name) + 1) / kinds.length, window / widest, stride, units / most, border / widest];
}

/** The layer with a share of its window and of its units, at least one of each. */
export function smaller(layer: Layer, window: number, units: number): Layer {
  const of = (size: number, share: number): number => Math.max(1, Math.floor(size * share));
  const sizes = sizesOf(layer)!;
  const { filters: _, units: __, window: ___, ...rest } = layer.options as Sized;
  return layer.name === "conv"
    ? conv(of(sizes.units, units), of(sizes.window, window), rest as object)
    : dense(of(sizes.units, units), rest as object);
}
