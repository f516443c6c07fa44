/** Records as TensorFlow frames them, and the one protocol buffer of a summary: what TensorBoard reads. */

import { block, double, float, text, varint } from "./protobuf.ts";

/** CRC-32C (Castagnoli), by a table. */
const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** TensorFlow turns checksums, so that a checksum of data that holds checksums is none of them. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

/** Length, its checksum, the data, its checksum. */
export function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(crc32c(data)), true);
  return bytes;
}

/** An event with the version of the format: the first of a file. @param wall seconds since 1970. */
export const versionEvent = (wall: number): Uint8Array =>
  Uint8Array.from([...double(1, wall), ...block(3, text("brain.Event:2"))]);

/** An event with one number. */
export function scalarEvent(wall: number, step: number, tag: string, value: number): Uint8Array {
  const summary = block(1, [...block(1, text(tag)), ...float(2, value)]);
  return Uint8Array.from([...double(1, wall), ...varint(2, step), ...block(5, summary)]);
}
