/** Takes files out of a zip archive of any size on disk, without reading the whole of it (APPNOTE 4.3: stored or deflated, below 4 GB). */
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";

/** One file of an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Its size when it is taken out. */
  readonly bytes: number;
  readonly packed: number;
  readonly method: number;
  /** Where its header begins. */
  readonly at: number;
}

const endMark = 0x06054b50;
const entryMark = 0x02014b50;
const headerMark = 0x04034b50;
const endBytes = 22;
const longestComment = 65_535;

async function read(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}

/**
 * The files of an archive, in the order of its table.
 *
 * @throws Error when it is not a whole archive, or larger than the format's first form allows.
 */
export async function zipEntries(path: string): Promise<ZipEntry[]> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const tail = await read(file, Math.max(0, size - endBytes - longestComment), endBytes + longestComment);
    let end = tail.length - endBytes;
    while (end >= 0 && tail.readUInt32LE(end) !== endMark) end--;
    if (end < 0) throw new Error(`${path}: a whole zip archive is required, got one without an end; fetch it again`);
    const [count, bytes, start] = [
      tail.readUInt16LE(end + 10),
      tail.readUInt32LE(end + 12),
      tail.readUInt32LE(end + 16),
    ];
    if (count === 0xffff || start === 0xffffffff)
      throw new Error(`${path}: a zip archive below 4 GB is required, got one in the form for larger ones`);
    return entriesOf(await read(file, start, bytes), count, path);
  } finally {
    await file.close();
  }
}

function entriesOf(table: Buffer, count: number, path: string): ZipEntry[] {
  const entries: ZipEntry[] = [];
  for (let i = 0, at = 0; i < count; i++) {
    if (at + 46 > table.length || table.readUInt32LE(at) !== entryMark)
      throw new Error(`${path}: the table of the archive is damaged; fetch it again`);
    const nameBytes = table.readUInt16LE(at + 28);
    entries.push({
      name: table.toString("utf8", at + 46, at + 46 + nameBytes),
      bytes: table.readUInt32LE(at + 24),
      packed: table.readUInt32LE(at + 20),
      method: table.readUInt16LE(at + 10),
      at: table.readUInt32LE(at + 42),
    });
    at += 46 + nameBytes + table.readUInt16LE(at + 30) + table.readUInt16LE(at + 32);
  }
  return entries;
}

/**
 * Writes one file of an archive to a place.
 *
 * @throws Error when it is damaged, or packed in a way that is not known.
 */
export async function takeOut(path: string, entry: ZipEntry, place: string): Promise<void> {
  const { method, name, packed, bytes } = entry;
  if (method !== 0 && method !== 8)
    throw new Error(`${path}: ${name} is packed in a way that is not known (${method})`);
  const start = await startOf(path, entry);
  let written = 0;
  const watch = new Transform({
    transform(chunk: Buffer, _, done) {
      written += chunk.length;
      done(null, chunk);
    },
  });
  const from = packed === 0 ? [] : createReadStream(path, { start, end: start + packed - 1, highWaterMark: 1 << 20 });
  try {
    const parts = method === 0 ? [from, watch] : [from, createInflateRaw({ chunkSize: 1 << 20 }), watch];
    await pipeline([...parts, createWriteStream(place)] as unknown as [NodeJS.ReadableStream, NodeJS.WritableStream]);
  } catch (cause) {
    if ("code" in (cause as object) && /^(ENOSPC|EACCES|EROFS|EDQUOT)$/.test((cause as { code: string }).code))
      throw cause;
    throw new Error(`${path}: ${name} is damaged; fetch it again`, { cause });
  }
  if (written !== bytes) throw new Error(`${path}: ${name} is damaged (${written} of ${bytes} bytes); fetch it again`);
}

/** Where the packed bytes begin: after a header whose length the table does not tell. */
async function startOf(path: string, { at, name }: ZipEntry): Promise<number> {
  const file = await open(path, "r");
  try {
    const header = await read(file, at, 30);
    if (header.length < 30 || header.readUInt32LE(0) !== headerMark)
      throw new Error(`${path}: the header of ${name} is damaged; fetch it again`);
    return at + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await file.close();
  }
}
