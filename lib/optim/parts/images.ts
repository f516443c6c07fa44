/** What is done to one image, whose rows of pixels lie one after the other. */
import type { Shape } from "../../data/dataset.ts";

/** Writes an image moved down and to the right by so many pixels (up and left where they are negative); what comes in is 0. */
export function moved(row: Float32Array, out: Float32Array, shape: Shape, down: number, right: number): void {
  const [height, width, channels] = shape as [number, number, number];
  out.fill(0);
  const [first, last] = [Math.max(0, right), Math.min(width, width + right)];
  for (let y = Math.max(0, down); y < Math.min(height, height + down); y++) {
    const from = ((y - down) * width + first - right) * channels;
    out.set(row.subarray(from, from + (last - first) * channels), (y * width + first) * channels);
  }
}

/** Mirrors an image left to right where it is. */
export function mirrored(image: Float32Array, shape: Shape): void {
  const [height, width, channels] = shape as [number, number, number];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width >> 1; x++)
      for (let c = 0; c < channels; c++) {
        const [a, b] = [(y * width + x) * channels + c, (y * width + width - 1 - x) * channels + c];
        const held = image[a]!;
        image[a] = image[b]!;
        image[b] = held;
      }
}

/**
 * Writes an image seen through a linear map about its middle: the pixel at `p` of the result is that at `map · p` of the image, between four of
 * them by their distances, 0 outside. The map is `[a, b, c, d]` for `(a·x + b·y, c·x + d·y)`.
 */
export function warped(
  row: Float32Array,
  out: Float32Array,
  shape: Shape,
  [a, b, c, d]: readonly [number, number, number, number],
): void {
  const [height, width, channels] = shape as [number, number, number];
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [u, v] = [x - middleX, y - middleY];
      const [fromX, fromY] = [a * u + b * v + middleX, c * u + d * v + middleY];
      const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let corner = 0; corner < 4; corner++) {
          const [px, py] = [left + (corner & 1), top + (corner >> 1)];
          const share = (1 - Math.abs(fromX - px)) * (1 - Math.abs(fromY - py));
          if (share > 0 && px >= 0 && px < width && py >= 0 && py < height)
            sum += share * row[(py * width + px) * channels + channel]!;
        }
        out[(y * width + x) * channels + channel] = sum;
      }
    }
}

/** A part of an image in whole pixels, and whether it is seen mirrored. */
export interface Crop {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly flip: boolean;
}

/**
 * Writes a part of an image at the size of the whole, between the nearest pixels by their distances; pixels are squares about their middles, and none
 * outside of the part counts.
 */
export function cropped(row: Float32Array, out: Float32Array, shape: Shape, crop: Crop): void {
  const [height, width, channels] = shape as [number, number, number];
  const { top, left, flip } = crop;
  const along = (
    i: number,
    size: number,
    from: number,
    part: number,
  ): [first: number, second: number, share: number] => {
    const at = Math.max(0, ((i + 0.5) * part) / size - 0.5);
    const first = Math.min(Math.floor(at), part - 1);
    return [from + first, from + Math.min(first + 1, part - 1), at - first];
  };
  for (let y = 0; y < height; y++) {
    const [up, down, v] = along(y, height, top, crop.height);
    for (let x = 0; x < width; x++) {
      const [before, after, u] = along(x, width, left, crop.width);
      for (let c = 0; c < channels; c++) {
        const pixel = (py: number, px: number): number => row[(py * width + px) * channels + c]!;
        out[(y * width + x) * channels + c] =
          (1 - v) * ((1 - u) * pixel(up, before) + u * pixel(up, after)) +
          v * ((1 - u) * pixel(down, before) + u * pixel(down, after));
      }
    }
  }
  if (flip) mirrored(out, shape);
}
