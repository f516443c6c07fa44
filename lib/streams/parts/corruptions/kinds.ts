/** The fifteen corruptions by name, and how they come upon an image of raw numbers. */

import type { Raw, Shape } from "../../../data/dataset.ts";
import type { Rng } from "../../../engine/random.ts";
import { defocusBlur, glassBlur, motionBlur, zoomBlur } from "./blurs.ts";
import { contrast, elasticTransform, jpegCompression, pixelate } from "./digital.ts";
import { gaussianNoise, impulseNoise, shotNoise } from "./noise.ts";
import type { Corruption } from "./picture.ts";
import { brightness, fog, frost, snow } from "./weather.ts";

/** All corruptions, in the order of the benchmark. */
export const corruptions = {
  gaussianNoise,
  shotNoise,
  impulseNoise,
  defocusBlur,
  glassBlur,
  motionBlur,
  zoomBlur,
  snow,
  frost,
  fog,
  brightness,
  contrast,
  elasticTransform,
  pixelate,
  jpegCompression,
} satisfies Record<string, Corruption>;

/** The name of a corruption. */
export type CorruptionKind = keyof typeof corruptions;

/** A function that corrupts an image of raw numbers; `scale` is what makes them 0 to 1. */
export function corrupter(kind: CorruptionKind, severity: number, shape: Shape, scale: number) {
  const [height, width, channels] = shape as [number, number, number];
  const worsen: Corruption = corruptions[kind];
  return (row: Raw, out: Raw, rng: Rng): void => {
    const values = Float64Array.from(row, (v) => v * scale);
    const worse = worsen({ height, width, channels, values }, severity - 1, rng);
    const round = out instanceof Uint8Array ? 0.5 : 0;
    for (let i = 0; i < out.length; i++) out[i] = Math.min(1, Math.max(0, worse[i]!)) / scale + round;
  };
}
