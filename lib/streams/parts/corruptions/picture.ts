/** What the corruptions have in common: pictures of numbers from 0 to 1, and how to filter and to sample them. */
import type { Rng } from "../../../engine/random.ts";

/** An image, rows from top to bottom, channels innermost. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly values: Float64Array;
}

/** Makes a worse picture of a picture; `level` is the severity from 0 to 4. Numbers may leave [0, 1]: the caller cuts them off. */
export type Corruption = (of: Picture, level: number, rng: Rng) => Float64Array;

/** The index that `i` means outside a line of `n` when the picture is mirrored at its edge pixels. */
export function mirrored(i: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const at = ((i % period) + period) % period;
  return at < n ? at : period - at;
}

/** The picture filtered with a kernel of odd sizes, mirrored at the edges. */
export function filtered(of: Picture, kernel: Float64Array, rows: number, columns: number): Float64Array {
  const { height, width, channels, values } = of;
  const out = new Float64Array(values.length);
  const [down, right] = [rows >> 1, columns >> 1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const weight = kernel[i * columns + j]!;
          if (weight === 0) continue;
          const from = mirrored(y + i - down, height) * width + mirrored(x + j - right, width);
          for (let c = 0; c < channels; c++)
            out[(y * width + x) * channels + c]! += weight * values[from * channels + c]!;
        }
      }
    }
  }
  return out;
}

/** A normalised Gaussian of odd length. */
export function gaussianKernel(sigma: number, length: number): Float64Array {
  const middle = length >> 1;
  const kernel = Float64Array.from({ length }, (_, i) => Math.exp(-((i - middle) ** 2) / (2 * sigma * sigma)));
  const sum = kernel.reduce((a, b) => a + b, 0);
  return kernel.map((v) => v / sum);
}

/** The picture smoothed with a Gaussian, cut off at four deviations. */
export function smoothed(of: Picture, sigma: number): Picture {
  const length = 2 * Math.floor(4 * sigma + 0.5) + 1;
  if (sigma === 0 || length === 1) return of;
  const kernel = gaussianKernel(sigma, length);
  const across = { ...of, values: filtered(of, kernel, 1, length) };
  return { ...of, values: filtered(across, kernel, length, 1) };
}

/** The value of a channel between pixels, by bilinear interpolation, mirrored at the edges. */
export function sampled({ height, width, channels, values }: Picture, y: number, x: number, channel: number): number {
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [fy, fx] = [y - top, x - left];
  const at = (i: number, j: number) => values[(mirrored(i, height) * width + mirrored(j, width)) * channels + channel]!;
  return (
    (1 - fy) * ((1 - fx) * at(top, left) + fx * at(top, left + 1)) +
    fy * ((1 - fx) * at(top + 1, left) + fx * at(top + 1, left + 1))
  );
}

/** The picture seen through a function from where a pixel goes to where it comes from. */
export function warped(of: Picture, from: (y: number, x: number) => readonly [y: number, x: number]): Float64Array {
  const { height, width, channels } = of;
  const out = new Float64Array(of.values.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fromY, fromX] = from(y, x);
      for (let c = 0; c < channels; c++) out[(y * width + x) * channels + c] = sampled(of, fromY, fromX, c);
    }
  }
  return out;
}

/** The picture seen from nearer by the factor. */
export function zoomed(of: Picture, factor: number): Float64Array {
  const [middleY, middleX] = [(of.height - 1) / 2, (of.width - 1) / 2];
  return warped(of, (y, x) => [middleY + (y - middleY) / factor, middleX + (x - middleX) / factor]);
}

/** The picture smeared in one direction: each pixel is a mean of those behind it, with the weights of half a Gaussian. */
export function smeared(of: Picture, radius: number, sigma: number, degrees: number): Float64Array {
  const { height, width, channels, values } = of;
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-(i * i) / (2 * sigma * sigma)));
  const sum = weights.reduce((a, b) => a + b, 0);
  const [dy, dx] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
  const out = new Float64Array(values.length);
  const inside = (i: number, n: number) => Math.min(n - 1, Math.max(0, Math.round(i)));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      weights.forEach((weight, i) => {
        const from = inside(y + i * dy, height) * width + inside(x + i * dx, width);
        for (let c = 0; c < channels; c++)
          out[(y * width + x) * channels + c]! += (weight / sum) * values[from * channels + c]!;
      });
    }
  }
  return out;
}

/** A cloudy landscape of numbers from 0 to 1 by the diamond-square algorithm on a torus (Fournier, Fussell and Carpenter 1982). */
export function plasma(height: number, width: number, decay: number, rng: Rng): Float64Array {
  let size = 2;
  while (size < Math.max(height, width)) size *= 2;
  const map = new Float64Array(size * size);
  const at = (y: number, x: number) => ((y + size) % size) * size + ((x + size) % size);
  let wibble = 100;
  const around = (points: readonly number[]): number =>
    points.reduce((sum, p) => sum + map[p]!, 0) / 4 + wibble * wibble * (2 * rng.uniform() - 1);
  for (let step = size; step >= 2; step /= 2) {
    const half = step / 2;
    for (let y = 0; y < size; y += step)
      for (let x = 0; x < size; x += step)
        map[at(y + half, x + half)] = around([at(y, x), at(y + step, x), at(y, x + step), at(y + step, x + step)]);
    for (let y = 0; y < size; y += half)
      for (let x = (y + half) % step; x < size; x += step)
        map[at(y, x)] = around([at(y - half, x), at(y + half, x), at(y, x - half), at(y, x + half)]);
    wibble /= decay;
  }
  let [low, high] = [Infinity, -Infinity];
  for (const v of map) [low, high] = [Math.min(low, v), Math.max(high, v)];
  const out = new Float64Array(height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) out[y * width + x] = (map[at(y, x)]! - low) / (high - low || 1);
  return out;
}
