/** Turns images of raw numbers by bilinear interpolation. */
import type { Raw, Shape } from "../../data/dataset.ts";

/**
 * A function that turns an image of the given shape (height × width × channels) about its middle by `degrees` counter-clockwise. Every
 * pixel of the result is the mean of the four nearest pixels of where it comes from, weighted by nearness; outside the image is 0.
 */
export function rotation(shape: Shape, degrees: number): (row: Raw, out: Raw) => void {
  const [height, width, channels] = shape as [number, number, number];
  const { at, weight } = sources(height, width, degrees);
  return (row, out) => {
    const round = out instanceof Uint8Array ? 0.5 : 0; // a byte is cut off at the point
    if (channels === 1) {
      for (let pixel = 0, k = 0; pixel < out.length; pixel++, k += 4)
        out[pixel] =
          weight[k]! * row[at[k]!]! +
          weight[k + 1]! * row[at[k + 1]!]! +
          weight[k + 2]! * row[at[k + 2]!]! +
          weight[k + 3]! * row[at[k + 3]!]! +
          round;
      return;
    }
    for (let pixel = 0; pixel < height * width; pixel++) {
      for (let channel = 0; channel < channels; channel++) {
        let value = round;
        for (let k = 4 * pixel; k < 4 * pixel + 4; k++) value += weight[k]! * row[at[k]! * channels + channel]!;
        out[pixel * channels + channel] = value;
      }
    }
  };
}

/** For each pixel four pixels that it comes from, and their weights. */
function sources(height: number, width: number, degrees: number): { at: Int32Array; weight: Float32Array } {
  const [sin, cos] = [exact(Math.sin, degrees), exact(Math.cos, degrees)];
  const [middleY, middleX] = [(height - 1) / 2, (width - 1) / 2];
  const at = new Int32Array(4 * height * width);
  const weight = new Float32Array(4 * height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // y points down, so turning the picture counter-clockwise by the angle looks up the point turned back
      const fromX = cos * (x - middleX) - sin * (y - middleY) + middleX;
      const fromY = sin * (x - middleX) + cos * (y - middleY) + middleY;
      const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
      for (let k = 0; k < 4; k++) {
        const [px, py] = [left + (k & 1), top + (k >> 1)];
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
