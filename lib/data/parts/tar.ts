/** Reads the files out of a tar archive. */

/**
 * The files of a tar archive by the last part of their names (POSIX ustar: blocks of 512 bytes, sizes in octal).
 *
 * @throws Error when the archive ends inside a file.
 */
export function readTar(archive: Uint8Array, name: string): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (from: number, length: number): string => {
    const end = archive.indexOf(0, from);
    return new TextDecoder().decode(archive.subarray(from, end < 0 ? from + length : Math.min(end, from + length)));
  };
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const path = text(at, 100);
    const size = Number.parseInt(text(at + 124, 12).trim(), 8);
    if (!Number.isFinite(size))
      throw new Error(`${name}: a tar archive is required, got a block without a size at byte ${at}`);
    if (at + 512 + size > archive.length) throw new Error(`${name}: the archive ends inside ${path}; fetch it again`);
    if (size > 0) files.set(path.split("/").at(-1)!, archive.subarray(at + 512, at + 512 + size));
    at += 512 + 512 * Math.ceil(size / 512);
  }
  return files;
}
