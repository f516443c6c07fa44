import { describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { digits } from "../../lib/data/digits.ts";
import { random } from "../../lib/engine/random.ts";
import { corrupt } from "../../lib/streams/operators/corrupt.ts";
import { type CorruptionKind, corrupter, corruptions } from "../../lib/streams/parts/corruptions/kinds.ts";
import { filtered, gaussianKernel, plasma } from "../../lib/streams/parts/corruptions/picture.ts";
import { classes } from "../../lib/streams/sources/classes.ts";

const size = 24;
/** A smooth hill with a sharp bar: what blurs lose and noise changes. */
const picture = Uint8Array.from({ length: size * size }, (_, i) => {
  const [y, x] = [Math.floor(i / size), i % size];
  return Math.round(60 + 100 * Math.exp(-((y - 12) ** 2 + (x - 8) ** 2) / 40) + (x === 18 ? 60 : 0));
});
const worse = (
  kind: CorruptionKind,
  severity: number,
  seed = 0,
  image = picture,
  shape = [size, size, 1],
): Uint8Array => {
  const out = new Uint8Array(image.length);
  corrupter(kind, severity, shape, 1 / 255)(image, out, random(seed));
  return out;
};
const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.sqrt(Array.from(a).reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0) / a.length);
const kinds = Object.keys(corruptions) as CorruptionKind[];

test("there are the fifteen of the benchmark", () => {
  expect(kinds).toHaveLength(15);
});

test.each(kinds)("%s changes an image more at severity 5 than at 1, the same way for the same seed", (kind) => {
  const mean = (severity: number) =>
    [1, 2, 3, 4, 5, 6].reduce((sum, seed) => sum + apart(picture, worse(kind, severity, seed)), 0) / 6;
  expect(mean(1)).toBeGreaterThan(0);
  // the mildest elastic transform leans most, and how a thin bar meets the grid of fewer pixels is chance
  if (kind !== "elasticTransform" && kind !== "pixelate") expect(mean(5)).toBeGreaterThan(mean(1));
  expect(worse(kind, 3, 5)).toEqual(worse(kind, 3, 5));
  const colour = Uint8Array.from({ length: size * size * 3 }, (_, i) => picture[Math.floor(i / 3)]!);
  expect(worse(kind, 2, 1, colour, [size, size, 3])).toHaveLength(size * size * 3);
  expect(worse(kind, 5, 1, new Uint8Array(64).fill(9), [8, 8, 1])).toHaveLength(64);
});

describe("what each does, by its own formula", () => {
  test("Gaussian noise has the deviation of its severity", () => {
    const grey = new Uint8Array(10_000).fill(128);
    const noisy = worse("gaussianNoise", 3, 1, grey, [100, 100, 1]);
    expect(Math.abs(apart(grey, noisy) / 255 - 0.08)).toBeLessThan(0.003);
  });

  test("shot noise has the variance of counted photons", () => {
    const grey = new Uint8Array(10_000).fill(128);
    const noisy = worse("shotNoise", 5, 1, grey, [100, 100, 1]);
    expect(Math.abs((apart(grey, noisy) / 255) ** 2 - 128 / 255 / 50)).toBeLessThan(0.0006);
  });

  test("impulse noise turns its share of pixels black or white", () => {
    const grey = new Uint8Array(10_000).fill(128);
    const noisy = worse("impulseNoise", 5, 1, grey, [100, 100, 1]);
    expect(Math.abs(noisy.filter((v) => v !== 128).length / 10_000 - 0.07)).toBeLessThan(0.011);
    expect([...new Set(noisy)].sort((a, b) => a - b)).toEqual([0, 128, 255]);
  });

  test("contrast draws towards the mean by its share", () => {
    const two = Uint8Array.from({ length: 64 }, (_, i) => (i < 32 ? 100 : 200));
    expect([...new Set(worse("contrast", 2, 0, two, [8, 8, 1]))]).toEqual([125, 175]);
  });

  test("brightness raises the largest channel and keeps the hue", () => {
    const pixel = worse("brightness", 2, 0, Uint8Array.of(100, 50, 25), [1, 1, 3]);
    expect([...pixel]).toEqual([126, 63, 31]); // 100 + 25.5 = 125.5; × 1.255
  });

  test("pixelate keeps the mean, and the corners of a picture shrunk by areas", () => {
    const mean = (a: Uint8Array) => a.reduce((x, y) => x + y, 0) / a.length;
    expect(Math.abs(mean(worse("pixelate", 5)) - mean(picture))).toBeLessThan(3);
    const halves = Uint8Array.from({ length: 16 }, (_, i) => (i % 4 < 2 ? 0 : 200));
    expect([...worse("pixelate", 5, 0, halves, [4, 4, 1]).subarray(0, 4)]).toEqual([0, 0, 200, 200]); // 4 → 2 → 4
  });

  test("JPEG keeps what its tables keep: a flat block only rounds, a fine checker is lost", () => {
    const flat = new Uint8Array(64).fill(77);
    expect(apart(flat, worse("jpegCompression", 5, 0, flat, [8, 8, 1]))).toBeLessThan(2);
    const checker = Uint8Array.from({ length: 64 }, (_, i) => (((i >> 3) + i) % 2 ? 130 : 126));
    expect(new Set(worse("jpegCompression", 5, 0, checker, [8, 8, 1])).size).toBe(1);
  });

  test("a flat picture stays flat through every blur", () => {
    const flat = new Uint8Array(size * size).fill(90);
    for (const kind of ["defocusBlur", "glassBlur", "motionBlur", "zoomBlur", "elasticTransform", "pixelate"] as const)
      expect(new Set(worse(kind, 5, 3, flat))).toEqual(new Set([90]));
  });

  test("a filter adds up to what its kernel adds up to, and a Gaussian is symmetric", () => {
    const kernel = gaussianKernel(1.2, 7);
    expect(kernel.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect(kernel[0]).toBeCloseTo(kernel[6]!, 12);
    expect(kernel[2]! / kernel[3]!).toBeCloseTo(Math.exp(-1 / (2 * 1.44)), 12);
    const one = Float64Array.from({ length: 25 }, (_, i) => (i === 12 ? 1 : 0));
    const got = filtered({ height: 5, width: 5, channels: 1, values: one }, Float64Array.of(1, 2, 3), 1, 3);
    expect([...got.subarray(10, 15)]).toEqual([0, 3, 2, 1, 0]); // correlation, as filters of images are
  });

  test("a plasma reaches from 0 to 1 and is smooth where its decay is strong", () => {
    const rough = (decay: number) => {
      const map = plasma(32, 32, decay, random(1));
      let sum = 0;
      for (let i = 1; i < map.length; i++) if (i % 32 !== 0) sum += Math.abs(map[i]! - map[i - 1]!);
      return sum;
    };
    const map = plasma(16, 16, 2, random(4));
    expect([Math.min(...map), Math.max(...map)]).toEqual([0, 1]);
    expect(rough(1.5)).toBeGreaterThan(rough(3));
  });
});

describe("corrupt", () => {
  test("gives a task for every kind and severity, and each image noise of its own", () => {
    const stream = corrupt(["gaussianNoise", "fog"], [1, 5])(classes(digits()));
    expect([stream.length, stream.tasks]).toEqual([4, 4]);
    const e = stream.experience(1);
    const [first, second] = [gather(e.train, [0]), gather(e.train, [1])];
    const plain = digits().train;
    const noise = (got: Float32Array, i: number) => got.map((v, j) => v - gather(plain, [i])[j]!);
    expect(noise(first, 0)).not.toEqual(noise(second, 1));
    expect(gather(e.train, [0])).toEqual(first);
    expect(gather(stream.experience(0).train, [0])).not.toEqual(first);
  });

  test("can leave the training examples as they are", () => {
    const e = corrupt("snow", 5, { part: "test" })(classes(digits())).experience(0);
    expect(gather(e.train, [4])).toEqual(gather(digits().train, [4]));
    expect(gather(e.test, [4])).not.toEqual(gather(digits().test, [4]));
  });

  test("refuses what does not exist", () => {
    // @ts-expect-error no such corruption
    expect(() => corrupt("rain")).toThrow("corrupt: one of gaussianNoise, shotNoise");
    expect(() => corrupt("fog", 6)).toThrow("corrupt: a severity from 1 to 5 is required, got 6");
  });
});
