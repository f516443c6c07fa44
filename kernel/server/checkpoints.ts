/** One earlier state per file, where Jupyter keeps it too: `.ipynb_checkpoints/` beside the file. */
import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { writeAtomically } from "./disk.ts";
import { HttpError } from "./http.ts";

const folder = ".ipynb_checkpoints";
const id = "checkpoint";

export interface Checkpoint {
  id: string;
  last_modified: string;
}

function fileOf(file: string): string {
  const ending = extname(file);
  return join(dirname(file), folder, `${basename(file, ending)}-checkpoint${ending}`);
}

/** @throws HttpError 404, 400 for what is no file. */
async function needFile(file: string): Promise<void> {
  if (!(await stat(file)).isFile()) throw new HttpError(400, `${basename(file)} is not a file.`);
}

async function list(file: string): Promise<Checkpoint[]> {
  await needFile(file);
  const info = await stat(fileOf(file)).catch(() => undefined);
  return info ? [{ id, last_modified: info.mtime.toISOString() }] : [];
}

export const checkpoints = {
  folder,
  list,
  async create(file: string): Promise<Checkpoint> {
    await needFile(file);
    const kept = fileOf(file);
    await mkdir(dirname(kept), { recursive: true });
    await writeAtomically(kept, await readFile(file));
    return (await list(file))[0]!;
  },
  async restore(file: string, wanted: string): Promise<void> {
    if (wanted !== id) throw new HttpError(404, `There is no checkpoint ${wanted}.`);
    const kept = await readFile(fileOf(file)).catch(() => {
      throw new HttpError(404, "There is no checkpoint of this file.");
    });
    await writeAtomically(file, kept);
  },
  async remove(file: string): Promise<void> {
    await rm(fileOf(file), { force: true });
  },
  /** The checkpoint goes where its file goes. */
  async move(from: string, to: string): Promise<void> {
    if (!(await stat(fileOf(from)).catch(() => undefined))) return;
    await mkdir(dirname(fileOf(to)), { recursive: true });
    await rename(fileOf(from), fileOf(to));
  },
};
