/** Corruptions of cameras, scans and files. */
import { type Corruption, filtered, gaussianKernel, type Picture, warped } from "./picture.ts";

/** Less contrast: each channel is drawn towards its mean, to a share of 0.75 to 0.15. */
export const contrast: Corruption = ({ values, channels }, level) => {
  const share = [0.75, 0.5, 0.4, 0.3, 0.15][level]!;
  const means = new Float64Array(channels);
  values.forEach((v, i) => {
    means[i % channels]! += (v * channels) / values.length;
  });
  return values.map((v, i) => (v - means[i % channels]!) * share + means[i % channels]!);
};

/** Everything is pulled askew: three points move, then every pixel by a smooth random field. */
export const elasticTransform: Corruption = (of, level, rng) => {
  const size = Math.min(of.height, of.width);
  const [strength, sigma, shift] = (
    [
      [0, 0, 0.08],
      [0.05, 0.2, 0.07],
      [0.08, 0.06, 0.06],
      [0.1, 0.04, 0.05],
      [0.1, 0.03, 0.03],
    ] as const
  )[level]!.map((v) => v * size) as [number, number, number];
  const [middleY, middleX] = [Math.floor(of.height / 2), Math.floor(of.width / 2)];
  const reach = Math.max(1, Math.floor(size / 3));
  const corners = [
    [1, 1],
    [1, -1],
    [-1, -1],
  ].map(([x, y]) => [middleX + x! * reach, middleY + y! * reach]);
  const moved = corners.map((corner) => corner.map((v) => v + shift * (2 * rng.uniform() - 1)));
  const back = affine(moved, corners);
  const leant = { ...of, values: warped(of, (y, x) => back(x, y)) };
  if (strength === 0) return leant.values;
  const [dy, dx] = [field(of, strength, sigma, rng), field(of, strength, sigma, rng)];
  return warped(leant, (y, x) => [y + dy[y * of.width + x]!, x + dx[y * of.width + x]!]);
};

/** The affine map (x, y) → [y, x] that takes three points to three others. */
function affine(from: readonly (readonly number[])[], to: readonly (readonly number[])[]) {
  const [[x0, y0], [x1, y1], [x2, y2]] = from as [[number, number], [number, number], [number, number]];
  const det = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
  return (x: number, y: number): readonly [number, number] => {
    const a = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / det;
    const b = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / det;
    const at = (k: number) => to[0]![k]! + a * (to[1]![k]! - to[0]![k]!) + b * (to[2]![k]! - to[0]![k]!);
    return [at(1), at(0)];
  };
}

function field({ height, width }: Picture, strength: number, sigma: number, rng: { uniform(): number }): Float64Array {
  const values = Float64Array.from({ length: height * width }, () => 2 * rng.uniform() - 1);
  const kernel = gaussianKernel(sigma, 2 * Math.floor(3 * sigma + 0.5) + 1);
  const plane: Picture = { height, width, channels: 1, values };
  const across = { ...plane, values: filtered(plane, kernel, 1, kernel.length) };
  return filtered(across, kernel, kernel.length, 1).map((v) => strength * v);
}

/** Fewer pixels: shrunk to 95 to 65 % by means of areas, and back. */
export const pixelate: Corruption = (of, level) => {
  const share = [0.95, 0.9, 0.85, 0.75, 0.65][level]!;
  const { height, width, channels, values } = of;
  const [h, w] = [Math.max(1, Math.floor(height * share)), Math.max(1, Math.floor(width * share))];
  const small = new Float64Array(h * w * channels);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      for (const [row, high] of covered((y * height) / h, ((y + 1) * height) / h))
        for (const [column, wide] of covered((x * width) / w, ((x + 1) * width) / w))
          for (let c = 0; c < channels; c++)
            small[(y * w + x) * channels + c]! +=
              (high * wide * h * w * values[(row * width + column) * channels + c]!) / (height * width);
    }
  }
  return values.map((_, i) => {
    const pixel = Math.floor(i / channels);
    const [y, x] = [
      Math.floor(((Math.floor(pixel / width) + 0.5) * h) / height),
      Math.floor((((pixel % width) + 0.5) * w) / width),
    ];
    return small[(y * w + x) * channels + (i % channels)]!;
  });
};

/** The whole-numbered cells between two points of a line, with how much of each is covered. */
function covered(from: number, to: number): [cell: number, share: number][] {
  const cells: [number, number][] = [];
  for (let cell = Math.floor(from); cell < to - 1e-9; cell++)
    cells.push([cell, Math.min(to, cell + 1) - Math.max(from, cell)]);
  return cells;
}

/** Saved as JPEG of quality 80 to 40: blocks of 8×8 lose fine detail. Differs from the benchmark: colour is not subsampled. */
export const jpegCompression: Corruption = (of, level) => {
  const quality = [80, 65, 58, 50, 40][level]!;
  const { channels, values } = of;
  const toned = channels === 3 ? turned(values, toYcc) : values;
  const out = new Float64Array(values.length);
  for (let c = 0; c < channels; c++) quantised(of, toned, c, c === 0 ? luminance : chrominance, quality, out);
  return channels === 3 ? turned(out, toRgb) : out;
};

function quantised(
  { height, width, channels }: Picture,
  from: Float64Array,
  channel: number,
  steps: readonly number[],
  quality: number,
  out: Float64Array,
): void {
  const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  const step = steps.map((v) => Math.min(255, Math.max(1, Math.floor((v * scale + 50) / 100))));
  const block = new Float64Array(64);
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      for (let i = 0; i < 64; i++) {
        const y = Math.min(height - 1, top + (i >> 3));
        const x = Math.min(width - 1, left + (i & 7));
        block[i] = 255 * from[(y * width + x) * channels + channel]! - 128;
      }
      const lost = cosines(block, false).map((v, i) => Math.round(v / step[i]!) * step[i]!);
      cosines(lost, true).forEach((v, i) => {
        const [y, x] = [top + (i >> 3), left + (i & 7)];
        if (y < height && x < width) out[(y * width + x) * channels + channel] = (v + 128) / 255;
      });
    }
  }
}

const basis = Float64Array.from({ length: 64 }, (_, i) => {
  const [frequency, place] = [i >> 3, i & 7];
  return (frequency === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * place + 1) * frequency * Math.PI) / 16);
});

/** The discrete cosine transform of a block of 8×8, or back. */
function cosines(block: Float64Array, back: boolean): Float64Array {
  const at = (i: number, j: number) => basis[back ? j * 8 + i : i * 8 + j]!;
  const half = new Float64Array(64);
  const out = new Float64Array(64);
  for (let i = 0; i < 8; i++)
    for (let x = 0; x < 8; x++) for (let y = 0; y < 8; y++) half[i * 8 + x]! += at(i, y) * block[y * 8 + x]!;
  for (let i = 0; i < 8; i++)
    for (let j = 0; j < 8; j++) for (let x = 0; x < 8; x++) out[i * 8 + j]! += at(j, x) * half[i * 8 + x]!;
  return out;
}

type Triple = readonly [number, number, number];

function turned(values: Float64Array, f: (a: number, b: number, c: number) => Triple): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0; i < values.length; i += 3) out.set(f(values[i]!, values[i + 1]!, values[i + 2]!), i);
  return out;
}

const toYcc = (r: number, g: number, b: number): Triple => [
  0.299 * r + 0.587 * g + 0.114 * b,
  0.5 - 0.168736 * r - 0.331264 * g + 0.5 * b,
  0.5 + 0.5 * r - 0.418688 * g - 0.081312 * b,
];
const toRgb = (y: number, cb: number, cr: number): Triple => [
  y + 1.402 * (cr - 0.5),
  y - 0.344136 * (cb - 0.5) - 0.714136 * (cr - 0.5),
  y + 1.772 * (cb - 0.5),
];

// the tables of ITU-T T.81, annex K.1
const luminance = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
  87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
];
const chrominance = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99,
];
