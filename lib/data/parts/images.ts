/** Decodes PNG and JPEG, and brings images to one shape. */
import { decode as decodePng } from "fast-png";
import { decode as decodeJpeg } from "jpeg-js";
import type { Raw, Shape } from "../dataset.ts";
import { resized } from "./resize.ts";

/** A decoded image of bytes, channels innermost. */
export interface Decoded {
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly bytes: Uint8Array;
}

/**
 * Decodes a PNG or JPEG: grey stays one channel, colour three; what is transparent is left out; 16 bits become 8.
 *
 * @throws Error when the file is neither, or is damaged; it names the file.
 */
export function decodeImage(file: Uint8Array, name: string): Decoded {
  try {
    if (file[0] === 0x89 && file[1] === 0x50) return fromPng(file);
    if (file[0] === 0xff && file[1] === 0xd8) {
      const { width, height, data } = decodeJpeg(file, { useTArray: true, formatAsRGBA: false });
      return { shape: [height, width, 3], bytes: data };
    }
  } catch (cause) {
    throw new Error(`${name}: a whole image is required, got a damaged one (${(cause as Error).message})`, { cause });
  }
  throw new Error(`${name}: a PNG or JPEG image is required, got another format`);
}

function fromPng(file: Uint8Array): Decoded {
  const { width, height, channels, data, depth, palette } = decodePng(file);
  const count = width * height;
  const values = depth < 8 ? unpacked(data as Uint8Array, height, width * channels, depth) : data;
  if (palette !== undefined) {
    const bytes = new Uint8Array(3 * count);
    for (let i = 0; i < count; i++) bytes.set(palette[values[i]!]!.slice(0, 3), 3 * i);
    return { shape: [height, width, 3], bytes };
  }
  const byte = (v: number): number => (depth === 16 ? v >> 8 : Math.round((v * 255) / (2 ** depth - 1)));
  const kept = channels >= 3 ? 3 : 1;
  const bytes = new Uint8Array(kept * count);
  for (let i = 0; i < count; i++) for (let c = 0; c < kept; c++) bytes[i * kept + c] = byte(values[i * channels + c]!);
  return { shape: [height, width, kept], bytes };
}

/** Values of 1, 2 or 4 bits, of which every row begins with a byte of its own. */
function unpacked(data: Uint8Array, height: number, width: number, depth: number): Uint8Array {
  const row = Math.ceil((width * depth) / 8);
  const out = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = data[y * row + ((x * depth) >> 3)]!;
      out[y * width + x] = (byte >> (8 - depth - ((x * depth) & 7))) & (2 ** depth - 1);
    }
  }
  return out;
}

/**
 * The bytes of images of one shape, one after the other.
 *
 * @throws RangeError when an image has another shape than the first and none is wanted; it names both.
 */
export function together(
  images: readonly { readonly name: string; readonly image: Decoded }[],
  wanted: Shape | undefined,
): { bytes: Uint8Array; shape: Shape } {
  const first = images[0]!;
  const shape = wanted ?? first.image.shape;
  const size = shape.reduce((a, b) => a * b, 1);
  const bytes = new Uint8Array(images.length * size);
  const turns = new Map<string, (row: Raw, out: Raw) => void>();
  images.forEach(({ name, image }, i) => {
    const out = bytes.subarray(i * size, (i + 1) * size);
    const key = image.shape.join();
    if (key === shape.join()) out.set(image.bytes);
    else if (wanted === undefined)
      throw new RangeError(
        `images of one size are required, got [${shape}] in ${first.name} and [${image.shape}] in ${name}; give the { shape } that all are resized to`,
      );
    else {
      const resize = turns.get(key) ?? resized(image.shape, shape);
      turns.set(key, resize);
      resize(image.bytes, out);
    }
  });
  return { bytes, shape };
}
