/** Files are written whole: who reads, and who crashes, meets the old one or the new one, never half of one. */
import { randomUUID } from "node:crypto";
import { chmod, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Writes beside the file, waits until it is on the disk, then takes its place, which is on the disk when this ends: what was saved
 * outlasts a power failure. Keeps the permissions of the old one.
 */
export async function writeAtomically(file: string, data: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomUUID().slice(0, 8)}.tmp`);
  const old = await stat(file).catch(() => undefined);
  try {
    const handle = await open(temporary, "wx", 0o666);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (old) await chmod(temporary, old.mode & 0o777);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}

/** Brings a folder's entries to the disk, where the system can. */
async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders, and some file systems cannot bring them to the disk: a rename is then as lasting as the system makes it.
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** Where the server remembers settings and which notebooks were trusted: the user's folder for such things. */
export function configFolder(): string {
  const { THALWEG_CONFIG, XDG_CONFIG_HOME, APPDATA, HOME, USERPROFILE } = process.env;
  if (THALWEG_CONFIG) return THALWEG_CONFIG;
  if (process.platform === "win32" && APPDATA) return join(APPDATA, "thalweg");
  return join(XDG_CONFIG_HOME ?? join(HOME ?? USERPROFILE ?? ".", ".config"), "thalweg");
}
