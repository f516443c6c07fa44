/** Length-prefixed JSON over a pipe: how the kernel and the process that runs the user's code speak to each other. */
import { writeSync } from "node:fs";

/** Bytes of one frame: a 32-bit little-endian length, then JSON. */
export function frame(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value));
  const bytes = Buffer.allocUnsafe(4 + body.length);
  bytes.writeUInt32LE(body.length, 0);
  body.copy(bytes, 4);
  return bytes;
}

/** Writes all of `bytes` before it returns, waiting while the pipe is full: that wait is the back-pressure on a flood. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(idle, 0, 0, 1);
    }
  }
}
const idle = new Int32Array(new SharedArrayBuffer(4));

/** Cuts a stream of chunks into the values they frame. */
export function unframer(): (chunk: Buffer) => unknown[] {
  let pending: Buffer[] = [];
  let size = 0;
  return (chunk) => {
    pending.push(chunk);
    size += chunk.length;
    if (size < 4) return [];
    // Joining every chunk of a large frame again and again would be quadratic: wait until the frame is whole.
    if (pending.length > 1 && pending[0]!.length >= 4 && size < 4 + pending[0]!.readUInt32LE(0)) return [];
    const bytes = pending.length === 1 ? pending[0]! : Buffer.concat(pending);
    const values: unknown[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32LE(at);
      if (bytes.length - at - 4 < length) break;
      values.push(JSON.parse(bytes.toString("utf8", at + 4, at + 4 + length)));
      at += 4 + length;
    }
    pending = at === bytes.length ? [] : [bytes.subarray(at)];
    size = bytes.length - at;
    return values;
  };
}
