import { expect, test } from "vitest";
import { rotation } from "../../lib/streams/parts/rotation.ts";

const turn = (image: number[], shape: number[], degrees: number): number[] => {
  const out = new Uint8Array(image.length);
  rotation(shape, degrees)(Uint8Array.from(image), out);
  return [...out];
};

test("a quarter turn counter-clockwise brings the right column to the top", () => {
  expect(turn([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3, 1], 90)).toEqual([3, 6, 9, 2, 5, 8, 1, 4, 7]);
  expect(turn([1, 2, 3, 4], [2, 2, 1], 180)).toEqual([4, 3, 2, 1]);
  expect(turn([1, 2, 3, 4], [2, 2, 1], -90)).toEqual(turn([1, 2, 3, 4], [2, 2, 1], 270));
});

test("channels turn together", () => {
  expect(turn([1, 10, 2, 20, 3, 30, 4, 40], [2, 2, 2], 90)).toEqual([2, 20, 4, 40, 1, 10, 3, 30]);
});

test("an eighth of a turn mixes the four nearest pixels as worked by hand", () => {
  // the top middle pixel comes from (1 + √½, 1 − √½): column weights 1 − √½ and √½, row weights √½ and 1 − √½
  const h = Math.SQRT1_2;
  const image = [0, 100, 200, 0, 50, 150, 0, 0, 0];
  const expected = h * (1 - h) * 100 + h * h * 200 + (1 - h) * (1 - h) * 50 + (1 - h) * h * 150;
  expect(turn(image, [3, 3, 1], 45)[1]).toBe(Math.round(expected));
  expect(turn(image, [3, 3, 1], 45)[4]).toBe(50);
});

test("the nearest pixel is one of the image's own", () => {
  const out = new Uint8Array(9);
  // the top row comes from (1, 1 − √2), (1 + √½, 1 − √½) and (1 + √2, 1); the rest from zeros, but for the middle
  rotation([3, 3, 1], 45, "nearest")(Uint8Array.from([0, 100, 200, 0, 50, 150, 0, 0, 0]), out);
  expect([...out]).toEqual([100, 200, 150, 0, 50, 0, 0, 0, 0]);
  rotation([3, 3, 1], 90, "nearest")(Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]), out);
  expect([...out]).toEqual(turn([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3, 1], 90));
});

test("turning there and back keeps the middle of a smooth image", () => {
  const size = 15;
  const smooth = Array.from({ length: size * size }, (_, i) => 40 + 5 * (i % size) + 3 * Math.floor(i / size));
  const back = turn(turn(smooth, [size, size, 1], 30), [size, size, 1], -30);
  for (let y = 5; y < 10; y++)
    for (let x = 5; x < 10; x++) expect(Math.abs(back[y * size + x]! - smooth[y * size + x]!)).toBeLessThanOrEqual(1);
});

test("any number of images at once is each of them as bilinear interpolation has it, in bytes and in floats", () => {
  const [height, width, channels, degrees] = [7, 6, 3, 33];
  const size = height * width * channels;
  const [sin, cos] = [Math.sin, Math.cos].map((f) => f((degrees * Math.PI) / 180)) as [number, number];
  const [middleY, middleX] = [(height - 1) / 2, (width - 1) / 2];
  for (const count of [1, 3, 4, 9]) {
    const rows = Uint8Array.from({ length: count * size }, (_, i) => (i * 7919 + 31) % 256);
    const bytes = new Uint8Array(rows.length);
    const floats = new Float32Array(rows.length);
    rotation([height, width, channels], degrees)(rows, bytes);
    rotation([height, width, channels], degrees)(Float32Array.from(rows), floats);
    for (let i = 0; i < rows.length; i++) {
      const [image, c, x, y] = [
        Math.floor(i / size),
        i % channels,
        Math.floor(i / channels) % width,
        Math.floor((i % size) / channels / width),
      ];
      const [fromX, fromY] = [
        cos * (x - middleX) - sin * (y - middleY) + middleX,
        sin * (x - middleX) + cos * (y - middleY) + middleY,
      ];
      let wanted = 0;
      for (let py = 0; py < height; py++)
        for (let px = 0; px < width; px++) {
          const near = Math.max(0, 1 - Math.abs(fromX - px)) * Math.max(0, 1 - Math.abs(fromY - py));
          wanted += near * rows[image * size + (py * width + px) * channels + c]!;
        }
      expect(floats[i]).toBeCloseTo(wanted, 3);
      expect(Math.abs(bytes[i]! - wanted)).toBeLessThan(0.5001);
    }
  }
});
