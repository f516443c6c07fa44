/** Resizes images of raw numbers. */
import type { Raw, Shape } from "../dataset.ts";

/**
 * Resizes an image: the middles of the corner pixels stay where they are, values between pixels are bilinear. One channel becomes several
 * alike; several become one by their mean.
 */
export function resized(from: Shape, to: Shape): (row: Raw, out: Raw) => void {
  const [height, width, channels] = from as [number, number, number];
  const [high, wide, deep] = to as [number, number, number];
  const stretch = (n: number, m: number): number => (m === 1 ? 0 : (n - 1) / (m - 1));
  const [down, right] = [stretch(height, high), stretch(width, wide)];
  return (row, out) => {
    const value = (y: number, x: number, c: number): number => {
      if (channels === deep) return row[(y * width + x) * channels + c]!;
      let sum = 0;
      for (let k = 0; k < channels; k++) sum += row[(y * width + x) * channels + k]!;
      return sum / channels;
    };
    const round = out instanceof Uint8Array ? 0.5 : 0;
    for (let y = 0; y < high; y++) {
      const top = Math.min(height - 1, Math.floor(y * down));
      const below = Math.min(height - 1, top + 1);
      const fy = y * down - top;
      for (let x = 0; x < wide; x++) {
        const left = Math.min(width - 1, Math.floor(x * right));
        const beside = Math.min(width - 1, left + 1);
        const fx = x * right - left;
        for (let c = 0; c < deep; c++) {
          const upper = (1 - fx) * value(top, left, c) + fx * value(top, beside, c);
          const lower = (1 - fx) * value(below, left, c) + fx * value(below, beside, c);
          out[(y * wide + x) * deep + c] = (1 - fy) * upper + fy * lower + round;
        }
      }
    }
  };
}
