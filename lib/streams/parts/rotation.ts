/** Turns images of raw numbers. */
import type { Raw, Shape } from "../../data/dataset.ts";

/** What a pixel of a turned image is: the mean of the four pixels around where it comes from, or the nearest of them. */
export type Interpolation = "bilinear" | "nearest";

/** The words for it. */
export const interpolations: readonly Interpolation[] = ["bilinear", "nearest"];

/**
 * A function that turns images of the given shape (height × width × channels), which lie one after the other, about their middles by
 * `degrees` counter-clockwise. Every pixel of the result is the mean of the four nearest pixels of where it comes from, weighted by
 * nearness and, in bytes, rounded to the nearest; or the nearest of the four. Outside the image is 0.
 */
export function rotation(
  shape: Shape,
  degrees: number,
  interpolation: Interpolation = "bilinear",
): (rows: Raw, out: Raw) => void {
  const [height, width, channels] = shape as [number, number, number];
  const { at, weight } = perNumber(sources(height, width, degrees, interpolation), channels);
  const whole = new Int32Array(weight.length);
  for (let i = 0; i < whole.length; i++) whole[i] = Math.round(weight[i]! * 2 ** bits);
  return (rows, out) => {
    if (rows instanceof Uint8Array && out instanceof Uint8Array) turnedBytes(rows, out, at, whole);
    else turnedFloats(rows, out, at, weight);
  };
}

/** Weights of bytes are whole numbers of this many bits: four of them times 255 still fit into 32, and it is exact to single precision. */
const bits = 22;
const half = 2 ** (bits - 1);

/** Four images at a time, which share indices and weights; the mean is written out for each, as a call for every number costs a third. */
function turnedBytes(rows: Uint8Array, out: Uint8Array, at: Int32Array, weight: Int32Array): void {
  const { imul } = Math;
  const size = at.length / 4;
  const last = Math.max(0, rows.length - size);
  for (let r = 0; r < rows.length; r += 4 * size) {
    // where fewer than four are left, the last is done again
    const s = Math.min(r + size, last);
    const t = Math.min(r + 2 * size, last);
    const q = Math.min(r + 3 * size, last);
    for (let j = 0, k = 0; j < size; j++, k += 4) {
      const a = at[k]!;
      const b = at[k + 1]!;
      const c = at[k + 2]!;
      const d = at[k + 3]!;
      const u = weight[k]!;
      const v = weight[k + 1]!;
      const w = weight[k + 2]!;
      const z = weight[k + 3]!;
      out[r + j] =
        (imul(u, rows[r + a]!) + imul(v, rows[r + b]!) + imul(w, rows[r + c]!) + imul(z, rows[r + d]!) + half) >>> bits;
      out[s + j] =
        (imul(u, rows[s + a]!) + imul(v, rows[s + b]!) + imul(w, rows[s + c]!) + imul(z, rows[s + d]!) + half) >>> bits;
      out[t + j] =
        (imul(u, rows[t + a]!) + imul(v, rows[t + b]!) + imul(w, rows[t + c]!) + imul(z, rows[t + d]!) + half) >>> bits;
      out[q + j] =
        (imul(u, rows[q + a]!) + imul(v, rows[q + b]!) + imul(w, rows[q + c]!) + imul(z, rows[q + d]!) + half) >>> bits;
    }
  }
}

function turnedFloats(rows: Raw, out: Raw, at: Int32Array, weight: Float32Array): void {
  const size = at.length / 4;
  for (let row = 0; row < rows.length; row += size)
    for (let j = 0, k = 0; j < size; j++, k += 4)
      out[row + j] =
        weight[k]! * rows[row + at[k]!]! +
        weight[k + 1]! * rows[row + at[k + 1]!]! +
        weight[k + 2]! * rows[row + at[k + 2]!]! +
        weight[k + 3]! * rows[row + at[k + 3]!]!;
}

type Sources = { readonly at: Int32Array; readonly weight: Float32Array };

/** The same for each channel of each pixel. */
function perNumber({ at, weight }: Sources, channels: number): Sources {
  if (channels === 1) return { at, weight };
  const many: Sources = { at: new Int32Array(at.length * channels), weight: new Float32Array(at.length * channels) };
  for (let place = 0; place < many.at.length; place++) {
    const [number, k] = [Math.floor(place / 4), place % 4];
    const from = 4 * Math.floor(number / channels) + k;
    many.at[place] = at[from]! * channels + (number % channels);
    many.weight[place] = weight[from]!;
  }
  return many;
}

/** For each pixel four pixels that it comes from, and their weights. */
function sources(height: number, width: number, degrees: number, interpolation: Interpolation): Sources {
  const [sin, cos] = [exact(Math.sin, degrees), exact(Math.cos, degrees)];
  const [middleY, middleX] = [(height - 1) / 2, (width - 1) / 2];
  const at = new Int32Array(4 * height * width);
  const weight = new Float32Array(4 * height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // y points down, so turning the picture counter-clockwise by the angle looks up the point turned back
      let fromX = cos * (x - middleX) - sin * (y - middleY) + middleX;
      let fromY = sin * (x - middleX) + cos * (y - middleY) + middleY;
      if (interpolation === "nearest") {
        fromX = Math.round(fromX);
        fromY = Math.round(fromY);
      }
      const left = Math.floor(fromX);
      const top = Math.floor(fromY);
      for (let k = 0; k < 4; k++) {
        const px = left + (k & 1);
        const py = top + (k >> 1);
        if (px < 0 || px >= width || py < 0 || py >= height) continue;
        const place = 4 * (y * width + x) + k;
        at[place] = py * width + px;
        weight[place] = (1 - Math.abs(fromX - px)) * (1 - Math.abs(fromY - py));
      }
    }
  }
  return { at, weight };
}

/** The sine or cosine of an angle in degrees, exactly 0, 1 or −1 at multiples of 90°. */
function exact(f: (radians: number) => number, degrees: number): number {
  const value = f((degrees * Math.PI) / 180);
  return degrees % 90 === 0 ? Math.round(value) : value;
}
