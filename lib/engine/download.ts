/** Downloads a file so that it is there whole and right, or not at all. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { gunzipSync } from "node:zlib";

/** A file to download, with one checksum. */
export interface RemoteFile {
  readonly name: string;
  /** SHA-256 of the file's contents, unzipped where it is gzipped. */
  readonly sha256?: string;
  /** SHA-256 of the file as it is. */
  readonly fileSha256?: string;
  /** MD5 of the file as it is, where its publisher gives no other. */
  readonly fileMd5?: string;
}

/** What a download can be told. */
export interface DownloadOptions {
  /** Called as bytes arrive, with those so far and those in all (null when the server does not say). */
  readonly progress?: (file: string, bytes: number, total: number | null) => void;
  /** Stops a download; what has arrived is kept and continued the next time. */
  readonly signal?: AbortSignal;
}

/** How often a line that went dead is taken up again within one download, as long as something arrives each time. */
const attempts = 5;

/**
 * Downloads `file` from `url` to `place`: what arrives is kept beside it in `place.part`, goes on there after a stop (also that of another
 * process) where the server can, and is moved to its place when its checksum is right.
 *
 * @throws Error that says what went wrong; whatever it is, nothing that is not the whole file lies at `place`.
 */
export async function download(url: string, place: string, file: RemoteFile, options: DownloadOptions): Promise<void> {
  const part = `${place}.part`;
  const size = async (): Promise<number> => (existsSync(part) ? (await stat(part)).size : 0);
  for (let attempt = 1; ; attempt++) {
    const had = await size();
    try {
      await receive(url, part, had, file.name, options);
    } catch (cause) {
      const dead = options.signal?.aborted === true || attempt === attempts || (await size()) <= had;
      if (dead || cause instanceof Refused) throw cause;
      continue;
    }
    const [wanted, got] = await checksums(part, file);
    if (got === wanted) return rename(part, place);
    await rm(part);
    // the beginning may have been of another edition of the file: once more, from the start
    if (had > 0 && attempt < attempts) continue;
    const rule = file.fileMd5 === undefined ? "SHA-256" : "MD5";
    throw new Error(`${file.name} with ${rule} ${wanted} is required, got ${got}; the download was thrown away`);
  }
}

/** The server does not give the file: asking again changes nothing. */
class Refused extends Error {}

/** Asks for what is missing after the first `had` bytes and adds it to the part; begins it anew where the server sends the whole. */
async function receive(url: string, part: string, had: number, name: string, options: DownloadOptions): Promise<void> {
  const answer = await fetch(url, {
    headers: { "accept-encoding": "identity", ...(had > 0 && { range: `bytes=${had}-` }) },
    ...(options.signal && { signal: options.signal }),
  });
  if (answer.status === 416) return; // the part is all of it, or too long: its checksum tells
  if (!answer.ok || answer.body === null) throw new Refused(`the server answered ${answer.status}`);
  const from = Number(/^bytes (\d+)-/.exec(answer.headers.get("content-range") ?? "")?.[1] ?? had);
  const goesOn = answer.status === 206 && from === had;
  if (answer.status === 206 && !goesOn) {
    await rm(part);
    throw new Error(`the server sent bytes from ${from} where those from ${had} were asked for`);
  }
  const plain = !answer.headers.has("content-encoding"); // else the length is that of the packed bytes
  const length = plain ? Number(answer.headers.get("content-length")) : 0;
  let arrived = goesOn ? had : 0;
  const total = length > 0 ? length + arrived : null;
  const out = await open(part, goesOn ? "a" : "w");
  try {
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      await out.writeFile(chunk);
      arrived += chunk.length;
      options.progress?.(name, arrived, total);
    }
  } finally {
    await out.close();
  }
  if (total !== null && arrived !== total) throw new Error(`${arrived} of ${total} bytes arrived`);
}

/** The checksum that a file should have, and the one it has. */
async function checksums(
  path: string,
  { sha256, fileSha256, fileMd5 }: RemoteFile,
): Promise<readonly [wanted: string, got: string]> {
  const wanted = fileMd5 ?? fileSha256 ?? sha256;
  if (wanted === undefined) throw new Error("internal: a file to download has no checksum");
  if (sha256 === undefined) return [wanted, await digestOf(path, fileMd5 === undefined ? "sha256" : "md5")];
  let contents: Uint8Array = await readFile(path);
  if (contents[0] === 0x1f && contents[1] === 0x8b) {
    try {
      contents = gunzipSync(contents);
    } catch {
      return [wanted, "a damaged gzip file"];
    }
  }
  return [wanted, createHash("sha256").update(contents).digest("hex")];
}

/** The digest of a file of any size. */
export async function digestOf(path: string, algorithm: "sha256" | "md5"): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
