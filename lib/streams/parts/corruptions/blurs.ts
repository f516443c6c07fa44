/** Corruptions that blur. */
import { type Corruption, filtered, gaussianKernel, type Picture, smeared, smoothed, zoomed } from "./picture.ts";

/** The lens is out of focus: a disk of radius 0.3 to 1.5, softened. */
export const defocusBlur: Corruption = (of, level) => {
  const [radius, alias] = (
    [
      [0.3, 0.4],
      [0.4, 0.5],
      [0.5, 0.6],
      [1, 0.2],
      [1.5, 0.1],
    ] as const
  )[level]!;
  const size = 7;
  const disk = new Float64Array(size * size);
  for (let y = -3; y <= 3; y++)
    for (let x = -3; x <= 3; x++) disk[(y + 3) * size + x + 3] = x * x + y * y <= radius * radius ? 1 : 0;
  const inside = disk.reduce((a, b) => a + b, 0);
  const soft = gaussianKernel(alias, 3);
  const plane: Picture = { height: size, width: size, channels: 1, values: disk.map((v) => v / inside) };
  const across = { ...plane, values: filtered(plane, soft, 1, 3) };
  return filtered(of, filtered(across, soft, 3, 1), size, size);
};

/** Seen through frosted glass: neighbouring pixels change places, between two soft blurs. */
export const glassBlur: Corruption = (of, level, rng) => {
  const [sigma, reach, rounds] = (
    [
      [0.05, 1, 1],
      [0.25, 1, 1],
      [0.4, 1, 1],
      [0.25, 1, 2],
      [0.4, 1, 2],
    ] as const
  )[level]!;
  const { height, width, channels } = of;
  const values = Float64Array.from(smoothed(of, sigma).values);
  for (let round = 0; round < rounds; round++) {
    for (let y = height - reach - 1; y >= reach; y--) {
      for (let x = width - reach - 1; x >= reach; x--) {
        const [dy, dx] = [rng.int(2 * reach) - reach, rng.int(2 * reach) - reach];
        for (let c = 0; c < channels; c++) {
          const [a, b] = [(y * width + x) * channels + c, ((y + dy) * width + x + dx) * channels + c];
          [values[a], values[b]] = [values[b]!, values[a]!];
        }
      }
    }
  }
  return smoothed({ ...of, values }, sigma).values;
};

/** The camera moves, in a direction within 45° of the horizontal. */
export const motionBlur: Corruption = (of, level, rng) => {
  const [radius, sigma] = (
    [
      [6, 1],
      [6, 1.5],
      [6, 2],
      [8, 2],
      [9, 2.5],
    ] as const
  )[level]!;
  return smeared(of, radius, sigma, 90 * rng.uniform() - 45);
};

/** The camera moves towards the scene: a mean of zooms up to 1.06 to 1.26. */
export const zoomBlur: Corruption = (of, level) => {
  const steps = 6 + 5 * level;
  const sum = Float64Array.from(of.values);
  for (let i = 0; i < steps; i++)
    zoomed(of, 1 + 0.01 * i).forEach((v, j) => {
      sum[j]! += v;
    });
  return sum.map((v) => v / (steps + 1));
};
