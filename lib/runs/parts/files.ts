/** Writing so that a crash at any moment leaves either what was there or what was to be there. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Writes a whole file: a temporary one beside it is filled, brought to the disk, and takes its place. */
export function writeAtomically(path: string, bytes: Uint8Array | string): void {
  const beside = `${path}.${process.pid}.part`;
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  try {
    const file = openSync(beside, "w");
    try {
      writeAll(file, data);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/** Writes all of some bytes at the file's position, or throws: a disk that fills up takes only a part of them without a word. */
export function writeAll(file: number, data: Uint8Array): void {
  for (let at = 0; at < data.length; ) {
    const wrote = writeSync(file, data, at, data.length - at);
    if (wrote === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    at += wrote;
  }
}

/** Brings a folder's entries to the disk, where the system can. */
function syncFolder(folder: string): void {
  let file: number | undefined;
  try {
    file = openSync(folder, "r");
    fsyncSync(file);
  } catch {
    // Windows cannot open folders; the rename is then as lasting as the system makes it.
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Makes a folder and those above it; throws a sentence when it cannot be written to. */
export function writableFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    const probe = `${folder}/.${process.pid}.part`;
    closeSync(openSync(probe, "w"));
    rmSync(probe, { force: true });
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space",
  EDQUOT: "the quota of the disk is used up; free some space",
  EFBIG: "a file may not grow further (ulimit -f); raise the limit",
  EROFS: "it is on a read-only disk; record elsewhere with { record: folder } or THALWEG_RUNS",
  EACCES: "it may not be written to; record elsewhere with { record: folder } or THALWEG_RUNS",
  EPERM: "it may not be written to; record elsewhere with { record: folder } or THALWEG_RUNS",
  ENOTDIR: "a part of its path is a file; record elsewhere with { record: folder } or THALWEG_RUNS",
  EEXIST: "there is a file of that name; record elsewhere with { record: folder } or THALWEG_RUNS",
};

/** A failed write as a sentence: what was to be written, why it cannot be, what to do. */
export function cannotWrite(path: string, error: unknown): Error {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return new Error(`record: a folder that can be written to is required, got ${path}; ${reasons[code] ?? message}`, {
    cause: error,
  });
}
