/** Paths of the API, `folder/file.ipynb`, and files on disk: nothing outside the served folder has a path. */
import { realpath } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { HttpError } from "./http.ts";

export interface Place {
  /** As the API says it: no slash at the ends, forward slashes. */
  path: string;
  name: string;
  /** The file, with all symbolic links followed; the last part may not exist yet. */
  file: string;
  /** The same, when the last part is a link: the link. What is deleted or renamed is this. */
  entry: string;
}

const nothing = () => new HttpError(404, "There is no such file or folder.");

/** @throws HttpError 404 for what is outside the root, hidden, or below a folder that is not there. */
export async function place(root: string, path: string): Promise<Place> {
  const parts = path.split("/").filter((part) => part !== "");
  for (const part of parts) {
    if (part.startsWith(".") || part.includes("\0")) throw nothing();
  }
  if (process.platform === "win32" && parts.some((part) => /[\\:<>"|?*]/.test(part))) throw nothing();
  const top = await realpath(root);
  const wanted = join(top, ...parts);
  let file: string;
  try {
    file = await realpath(wanted);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parts.length === 0) throw nothing();
    // What is to be made: the folder must be there, and must be inside.
    const folder = await realpath(dirname(wanted)).catch(() => {
      throw nothing();
    });
    file = join(folder, basename(wanted));
  }
  if (!inside(top, file)) throw nothing();
  const entry = parts.length === 0 ? top : join(await realpath(dirname(wanted)), basename(wanted));
  return { path: parts.join("/"), name: parts.at(-1) ?? "", file, entry };
}

/** Whether a file is the folder or in it; both with links followed. */
export function inside(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !/^[a-z]:|^[\\/]/i.test(way));
}
