/** Tensors of any library, known by their shape, dtype and dataSync: a summary, small values, and a picture when it looks like one. */
import { deflateSync } from "node:zlib";
import type { Bundle } from "../messages.ts";

interface TensorLike {
  shape: number[];
  dtype: string;
  dataSync(): ArrayLike<number>;
}

const maxValues = 1_000_000;

/** @returns undefined when `value` is not a tensor. */
export function tensorBundle(value: object): Bundle | undefined {
  if (!isTensor(value)) return undefined;
  const { shape, dtype } = value;
  const size = shape.reduce((a, b) => a * b, 1);
  const title = `Tensor ${dtype} [${shape.join(", ")}]`;
  if (size > maxValues) return { "text/plain": title };
  let data: ArrayLike<number>;
  try {
    data = value.dataSync();
  } catch (error) {
    return { "text/plain": `${title} (${error instanceof Error ? error.message : String(error)})` };
  }
  const bundle: Bundle = { "text/plain": `${title}\n${nested(data, shape)}` };
  const image = picture(data, shape, dtype);
  if (image) bundle["image/png"] = image;
  return bundle;
}

function isTensor(value: object): value is TensorLike {
  const t = value as Partial<TensorLike>;
  return (
    Array.isArray(t.shape) &&
    t.shape.every((n) => typeof n === "number") &&
    typeof t.dtype === "string" &&
    typeof t.dataSync === "function"
  );
}

/** The values in brackets, six per axis at most. */
function nested(data: ArrayLike<number>, shape: number[]): string {
  const format = (n: number) =>
    typeof n === "number" && !Number.isInteger(n) ? String(Number(n.toPrecision(5))) : String(n);
  const print = (axis: number, offset: number): string => {
    if (axis === shape.length) return format(data[offset]!);
    const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const length = shape[axis]!;
    const indices = length <= 6 ? [...Array(length).keys()] : [0, 1, 2, -1, length - 2, length - 1];
    const items = indices.map((i) => (i < 0 ? "…" : print(axis + 1, offset + i * stride)));
    return axis === shape.length - 1 ? `[${items.join(", ")}]` : `[${items.join(`,\n${" ".repeat(axis + 1)}`)}]`;
  };
  return print(0, 0);
}

/** Height × width (× 1 or 3) with 8 to 1024 pixels a side, values in 0–1 or 0–255: drawn; anything else is not a picture. */
function picture(data: ArrayLike<number>, shape: number[], dtype: string): Uint8Array | undefined {
  const [height, width, channels = 1] = shape as [number, number, number?];
  if (shape.length < 2 || shape.length > 3 || (channels !== 1 && channels !== 3)) return undefined;
  if (
    Math.min(height, width) < 8 ||
    Math.max(height, width) > 1024 ||
    dtype === "string" ||
    Math.max(height, width) > 8 * Math.min(height, width)
  )
    return undefined;
  let max = 0;
  for (let i = 0; i < data.length; i++) {
    const v = Number(data[i]);
    if (!(v >= 0 && v <= 255)) return undefined;
    if (v > max) max = v;
  }
  if (shape.length === 2 && max === 0) return undefined;
  const gain = max <= 1 ? 255 : 1;
  const zoom = Math.max(1, Math.floor(128 / Math.max(height, width)));
  const [h, w] = [height * zoom, width * zoom];
  const rows = Buffer.alloc(h * (1 + w * channels));
  for (let y = 0; y < h; y++) {
    const row = y * (1 + w * channels) + 1;
    for (let x = 0; x < w; x++) {
      const from = (Math.floor(y / zoom) * width + Math.floor(x / zoom)) * channels;
      for (let c = 0; c < channels; c++) rows[row + x * channels + c] = Math.round(Number(data[from + c]) * gain);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(w, 0);
  header.writeUInt32BE(h, 4);
  header.set([8, channels === 3 ? 2 : 0, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** CRC-32 of PNG (ISO 3309), bit by bit: node:zlib has one only from Node 22. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
