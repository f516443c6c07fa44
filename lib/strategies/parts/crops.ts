/** Random parts of images, and what a map of labels says of a part. */
import type { Shape } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import { type Crop, cropped } from "../../optim/parts/images.ts";
import { requireNumber } from "../strategy.ts";

export type { Crop } from "../../optim/parts/images.ts";

/** How parts of images are drawn. */
export interface CropOptions {
  /** The least share of an image's pixels that a part has, in (0, 1]. */
  readonly smallest: number;
  /** The share of parts that is mirrored. */
  readonly flip: number;
}

/** Throws unless the options of crops are sound. */
export function requireCrops(where: string, { smallest, flip }: CropOptions): void {
  requireNumber(where, "smallest", smallest, 1e-6, 1);
  requireNumber(where, "flip", flip, 0, 1);
}

/**
 * Draws a part: its share of the pixels between `smallest` and 1, its width over its height between ¾ and 4⁄3. Examples that are no images stay whole.
 */
export function drawnCrop(shape: Shape, { smallest, flip }: CropOptions, rng: Rng): Crop {
  const [height, width] = shape.length === 3 ? (shape as [number, number, number]) : [1, 1];
  const whole = { top: 0, left: 0, height, width, flip: rng.uniform() < flip };
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * (smallest + (1 - smallest) * rng.uniform());
    const ratio = (4 / 3) ** (2 * rng.uniform() - 1);
    const [w, h] = [Math.round(Math.sqrt(area * ratio)), Math.round(Math.sqrt(area / ratio))];
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { ...whole, top: rng.int(height - h + 1), left: rng.int(width - w + 1), height: h, width: w };
  }
  return whole;
}

/** Writes an example as a crop of it is seen; what is no image stays as it is. */
export function seenAs(row: Float32Array, out: Float32Array, shape: Shape, crop: Crop): void {
  if (shape.length === 3) cropped(row, out, shape, crop);
  else out.set(row);
}

/** A box in units of the pixels of a map, whose middles are at whole numbers. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Where a part of an image of some size lies in a map of that image. */
export function boxOf(crop: Crop, [height, width]: Shape, [rows, columns]: readonly [number, number]): Box {
  const [down, along] = [rows / height!, columns / width!];
  return {
    top: crop.top * down - 0.5,
    left: crop.left * along - 0.5,
    bottom: (crop.top + crop.height) * down - 0.5,
    right: (crop.left + crop.width) * along - 0.5,
  };
}

/**
 * The mean of a map `[rows, columns, depth]` over a box: of a grid of points in it, about one for each pixel of the map, between pixels by their
 * distances. A box smaller than a pixel is taken as large as one (He et al. 2017, arXiv:1703.06870, section 3, RoIAlign with one bin).
 */
export function pooled(
  map: ArrayLike<number>,
  [rows, columns, depth]: readonly [number, number, number],
  { top, left, bottom, right }: Box,
): Float64Array {
  const [height, width] = [Math.max(1, bottom - top), Math.max(1, right - left)];
  const [down, along] = [Math.ceil(height), Math.ceil(width)];
  const out = new Float64Array(depth);
  const between = (at: number, size: number): [first: number, second: number, share: number] => {
    const inside = Math.min(Math.max(at, 0), size - 1);
    const first = Math.floor(inside);
    return [first, Math.min(first + 1, size - 1), inside - first];
  };
  for (let i = 0; i < down; i++)
    for (let j = 0; j < along; j++) {
      const [y, x] = [top + ((i + 0.5) * height) / down, left + ((j + 0.5) * width) / along];
      if (y < -1 || y > rows || x < -1 || x > columns) continue;
      const [up, low, v] = between(y, rows);
      const [before, after, u] = between(x, columns);
      for (let c = 0; c < depth; c++) {
        const at = (py: number, px: number): number => map[(py * columns + px) * depth + c]!;
        out[c]! +=
          ((1 - v) * ((1 - u) * at(up, before) + u * at(up, after)) +
            v * ((1 - u) * at(low, before) + u * at(low, after))) /
          (down * along);
      }
    }
  return out;
}
