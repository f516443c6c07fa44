/** A transaction log as W&B writes it: LevelDB's log format with a head of its own and zlib's checksum. */

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** CRC-32 as zlib's, going on from `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const blockBytes = 32_768;
const headBytes = 7;
const [full, first, middle, last] = [1, 2, 3, 4];

function head(): Uint8Array {
  const bytes = new Uint8Array(headBytes);
  bytes.set(new TextEncoder().encode(":W&B"));
  new DataView(bytes.buffer).setUint16(4, 0xbee1, true);
  return bytes;
}

function piece(type: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headBytes + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, crc32(data, crc32(Uint8Array.of(type))), true);
  view.setUint16(4, data.length, true);
  view.setUint8(6, type);
  bytes.set(data, headBytes);
  return bytes;
}

/** The file of a log with these records. A record that does not fit into what is left of a block goes on in the next. */
export function wandbLog(records: readonly Uint8Array[]): Uint8Array {
  const parts = [head()];
  let at = headBytes;
  const put = (bytes: Uint8Array): void => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const data of records) {
    for (let from = 0, begun = false; from < data.length || !begun; begun = true) {
      let left = blockBytes - (at % blockBytes);
      if (left < headBytes) {
        put(new Uint8Array(left));
        left = blockBytes;
      }
      const to = Math.min(data.length, from + left - headBytes);
      const ends = to === data.length;
      put(piece(begun ? (ends ? last! : middle!) : ends ? full! : first!, data.subarray(from, to)));
      from = to;
    }
  }
  return Buffer.concat(parts);
}
