/** Corruptions that are weather. */
import { type Corruption, type Picture, plasma, smeared, zoomed } from "./picture.ts";

/** It snows: bright flakes fall aslant, and everything is paler. */
export const snow: Corruption = (of, level, rng) => {
  const [mean, deviation, zoom, least, radius, sigma, mix] = (
    [
      [0.1, 0.2, 1, 0.6, 8, 3, 0.95],
      [0.1, 0.2, 1, 0.5, 10, 4, 0.9],
      [0.15, 0.3, 1.75, 0.55, 10, 4, 0.9],
      [0.25, 0.3, 2.25, 0.6, 12, 6, 0.85],
      [0.3, 0.3, 1.25, 0.65, 14, 12, 0.8],
    ] as const
  )[level]!;
  const { height, width, channels, values } = of;
  const layer = Float64Array.from({ length: height * width }, () => mean + deviation * rng.normal());
  const plane: Picture = { height, width, channels: 1, values: layer };
  const flakes = zoomed(plane, zoom).map((v) => (v < least ? 0 : Math.min(1, v)));
  const fallen = smeared({ ...plane, values: flakes }, radius, sigma, -135 + 90 * rng.uniform());
  const pixels = height * width;
  return values.map((v, i) => {
    const pixel = Math.floor(i / channels);
    const pale = mix * v + (1 - mix) * Math.max(v, 1.5 * grey(values, pixel, channels) + 0.5);
    return pale + fallen[pixel]! + fallen[pixels - 1 - pixel]!; // the same snow, also turned upside down
  });
};

function grey(values: Float64Array, pixel: number, channels: number): number {
  const at = pixel * channels;
  return channels === 3 ? 0.299 * values[at]! + 0.587 * values[at + 1]! + 0.114 * values[at + 2]! : values[at]!;
}

/** Frost grows on the lens. Differs from the benchmark: crystals are made by folding a fractal landscape, not cut from photographs. */
export const frost: Corruption = (of, level, rng) => {
  const [keep, ice] = (
    [
      [1, 0.2],
      [1, 0.3],
      [0.9, 0.4],
      [0.85, 0.4],
      [0.75, 0.45],
    ] as const
  )[level]!;
  const land = plasma(of.height, of.width, 1.8, rng);
  return of.values.map((v, i) => {
    const ridge = 1 - Math.abs(2 * land[Math.floor(i / of.channels)]! - 1);
    return keep * v + ice * ridge ** 2;
  });
};

/** Fog of uneven density. */
export const fog: Corruption = (of, level, rng) => {
  const [amount, decay] = (
    [
      [0.2, 3],
      [0.5, 3],
      [0.75, 2.5],
      [1, 2],
      [1.5, 1.75],
    ] as const
  )[level]!;
  const cloud = plasma(of.height, of.width, decay, rng);
  let most = 0;
  for (const v of of.values) most = Math.max(most, v);
  return of.values.map((v, i) => ((v + amount * cloud[Math.floor(i / of.channels)]!) * most) / (most + amount));
};

/** The light is brighter: the largest of a pixel's channels grows by 0.05 to 0.3, its hue and saturation stay. */
export const brightness: Corruption = ({ values, channels }, level) => {
  const more = [0.05, 0.1, 0.15, 0.2, 0.3][level]!;
  const out = new Float64Array(values.length);
  for (let at = 0; at < values.length; at += channels) {
    const pixel = values.subarray(at, at + channels);
    const most = Math.max(...pixel);
    const wanted = Math.min(1, most + more);
    pixel.forEach((v, c) => {
      out[at + c] = most === 0 ? wanted : (v * wanted) / most;
    });
  }
  return out;
};
