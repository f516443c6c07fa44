/** Files and folders as the Jupyter contents API says them. */
import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { access, appendFile, constants, copyFile, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { extname } from "node:path";
import { kernelspec, type Notebook, notebookJson, notebookOf } from "../notebook/nbformat.ts";
import { checkpoints } from "./checkpoints.ts";
import { writeAtomically } from "./disk.ts";
import { HttpError } from "./http.ts";
import { mimeOf } from "./mime.ts";
import { type Place, place } from "./paths.ts";
import type { Trust } from "./trust.ts";

export interface Model {
  name: string;
  path: string;
  type: "file" | "directory" | "notebook";
  created: string;
  last_modified: string;
  writable: boolean;
  size: number | null;
  mimetype: string | null;
  format: "text" | "base64" | "json" | null;
  content: unknown;
  hash?: string | null;
  hash_algorithm?: string | null;
}

export interface Reading {
  content?: boolean;
  type?: string;
  format?: string;
  hash?: boolean;
}

export type Contents = ReturnType<typeof contents>;

export function contents(root: string, trust: Trust) {
  const at = (path: string) => place(root, path);
  /** One change of a file at a time: two saves that meet are one after the other. */
  const busy = new Map<string, Promise<unknown>>();
  function inTurn<T>(file: string, work: () => Promise<T>): Promise<T> {
    const turn = (busy.get(file) ?? Promise.resolve()).then(work, work);
    const settled = turn.catch(() => {}).finally(() => busy.get(file) === settled && busy.delete(file));
    busy.set(file, settled);
    return turn;
  }

  async function model({ file, name, path }: Place, info: Stats): Promise<Model> {
    const type = info.isDirectory() ? "directory" : name.endsWith(".ipynb") ? "notebook" : "file";
    const writable = await access(file, constants.W_OK).then(
      () => true,
      () => false,
    );
    return {
      name,
      path,
      type,
      created: info.birthtime.toISOString(),
      last_modified: info.mtime.toISOString(),
      writable,
      size: info.isDirectory() ? null : info.size,
      mimetype: null,
      format: null,
      content: null,
    };
  }

  async function list(folder: Place): Promise<Model[]> {
    const names = (await readdir(folder.file)).filter((name) => !name.startsWith("."));
    const found = await Promise.all(
      names.map(async (name) => {
        // What is not reachable (a link that leads outside, or nowhere) is not listed.
        try {
          const entry = await at(`${folder.path}/${name}`);
          const info = await stat(entry.file);
          return info.isFile() || info.isDirectory() ? await model(entry, info) : undefined;
        } catch {
          return undefined;
        }
      }),
    );
    return found.filter((entry) => entry !== undefined);
  }

  async function get(path: string, reading: Reading = {}): Promise<Model> {
    const found = await at(path);
    const info = await stat(found.file);
    if (!info.isDirectory() && !info.isFile()) throw new HttpError(404, `${path} is not a file or a folder.`);
    const result = await model(found, info);
    if (reading.type === "directory" && result.type !== "directory")
      throw new HttpError(400, `${path} is not a folder.`);
    if (reading.type && reading.type !== "directory" && result.type === "directory")
      throw new HttpError(400, `${path} is a folder, not a ${reading.type}.`);
    if (result.type !== "directory" && (reading.type === "file" || reading.type === "notebook"))
      result.type = reading.type;
    if (result.type === "file") result.mimetype = mimeOf(found.name);
    const { content = true } = reading;
    const bytes = result.type !== "directory" && (content || reading.hash) ? await readFile(found.file) : undefined;
    if (reading.hash && bytes) {
      result.hash = createHash("sha256").update(bytes).digest("hex");
      result.hash_algorithm = "sha256";
    }
    if (!content) return result;
    if (result.type === "directory") return { ...result, format: "json", content: await list(found) };
    if (result.type === "notebook") return { ...result, format: "json", content: readNotebook(bytes!, path, trust) };
    return { ...result, ...decoded(bytes!, path, reading.format) };
  }

  async function save(path: string, given: Record<string, unknown>): Promise<Model> {
    const target = await at(path);
    if (target.path === "") throw new HttpError(400, "The folder that is served cannot be replaced.");
    return inTurn(target.file, async () => {
      const info = await stat(target.file).catch(() => undefined);
      if (given.type === "directory") {
        if (!info) await mkdir(target.file);
        else if (!info.isDirectory()) throw new HttpError(409, `${path} is a file.`);
      } else if (info?.isDirectory()) throw new HttpError(400, `${path} is a folder.`);
      else await write(target, given);
      return get(path, { content: false, hash: given.type !== "directory", ...typeOf(given) });
    });
  }

  async function write(target: Place, given: Record<string, unknown>): Promise<void> {
    const { type, content, format, chunk } = given;
    if (type === "notebook") {
      const text = await notebookText(content, target.path, trust);
      return writeAtomically(target.file, text);
    }
    if (type !== "file") throw new HttpError(400, `type must be notebook, file or directory, got ${String(type)}.`);
    if (typeof content !== "string") throw new HttpError(400, "content must be text.");
    const data = format === "base64" ? Buffer.from(content, "base64") : Buffer.from(content, "utf8");
    // Large uploads come in pieces: 1, 2, … and -1 for the last.
    if (typeof chunk === "number" && chunk !== 1) await appendFile(target.file, data);
    else await writeAtomically(target.file, data);
  }

  /** A name that is free: `Untitled.ipynb`, `Untitled1.ipynb`, … */
  async function freeName(folder: Place, stem: string, ending: string, insert: string): Promise<Place> {
    for (let i = 0; ; i++) {
      const candidate = await at(`${folder.path}/${stem}${i === 0 ? "" : `${insert}${i}`}${ending}`);
      if (!(await stat(candidate.file).catch(() => undefined))) return candidate;
    }
  }

  /** Makes something new in a folder, or a copy of `copy_from`. */
  async function create(path: string, given: Record<string, unknown>): Promise<Model> {
    const folder = await at(path);
    if (!(await stat(folder.file)).isDirectory()) throw new HttpError(400, `${path} is not a folder.`);
    if (typeof given.copy_from === "string") {
      const source = await at(given.copy_from);
      const ending = extname(source.name);
      const copy = await freeName(folder, source.name.slice(0, source.name.length - ending.length), ending, "-Copy");
      await copyFile(source.file, copy.file, constants.COPYFILE_EXCL);
      return get(copy.path, { content: false });
    }
    if (given.type === "directory") {
      const made = await freeName(folder, "Untitled Folder", "", " ");
      await mkdir(made.file);
      return get(made.path, { content: false });
    }
    const notebook = given.type === "notebook" || given.ext === ".ipynb";
    const ending = notebook ? ".ipynb" : String(given.ext ?? ".txt");
    if (!/^\.[\w.-]{0,32}$/.test(ending)) throw new HttpError(400, `ext must be an ending such as .ts, got ${ending}.`);
    const made = await freeName(folder, notebook ? "Untitled" : "untitled", ending, "");
    const text = notebook ? notebookJson({ nbformat: 4, nbformat_minor: 5, metadata: { kernelspec }, cells: [] }) : "";
    await writeAtomically(made.file, text);
    return get(made.path, { content: false });
  }

  async function move(path: string, to: unknown): Promise<Model> {
    if (typeof to !== "string" || to === "") throw new HttpError(400, "path must be the new name.");
    const [from, target] = [await at(path), await at(to)];
    if (from.path === "" || target.path === "") throw new HttpError(400, "The folder that is served cannot be moved.");
    // On file systems that do not tell case apart, a change of case is a move onto itself.
    const taken = await stat(target.file).catch(() => undefined);
    if (taken && taken.ino !== (await stat(from.file)).ino) throw new HttpError(409, `${to} exists already.`);
    await inTurn(from.file, () => rename(from.entry, target.entry));
    await checkpoints.move(from.file, target.file);
    return get(to, { content: false });
  }

  async function remove(path: string): Promise<void> {
    const target = await at(path);
    if (target.path === "") throw new HttpError(400, "The folder that is served cannot be deleted.");
    const info = await stat(target.file);
    if (info.isDirectory() && (await readdir(target.file)).some((name) => name !== checkpoints.folder))
      throw new HttpError(400, `${path} is not empty; delete what is in it first.`);
    await rm(target.entry, { recursive: info.isDirectory() });
    await checkpoints.remove(target.file);
  }

  return { at, get, save, create, move, remove, inTurn };
}

const typeOf = (given: Record<string, unknown>): Reading =>
  typeof given.type === "string" ? { type: given.type } : {};

function readNotebook(bytes: Uint8Array, path: string, trust: Trust): Notebook {
  let notebook: Notebook;
  try {
    const text = new TextDecoder().decode(bytes);
    // An empty file is a notebook that was never saved.
    const parsed = text.trim() === "" ? { nbformat: 4, cells: [] } : JSON.parse(text);
    notebook = notebookOf(parsed as Record<string, unknown>, path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HttpError(
      400,
      `${path} is not a readable notebook: ${reason.replace(/^readNotebook: /, "")}. It was left as it is; open it with the text editor to repair it.`,
    );
  }
  trust.opened(notebook);
  return notebook;
}

async function notebookText(content: unknown, path: string, trust: Trust): Promise<string> {
  let notebook: Notebook;
  try {
    notebook = notebookOf(content as Record<string, unknown>, path);
  } catch (error) {
    throw new HttpError(400, error instanceof Error ? error.message : String(error));
  }
  await trust.saved(notebook);
  return notebookJson(notebook, notebook.metadata);
}

function decoded(bytes: Uint8Array, path: string, format?: string): Pick<Model, "format" | "content"> {
  if (format !== "base64") {
    try {
      return { format: "text", content: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
    } catch {
      if (format === "text") throw new HttpError(400, `${path} is not text in UTF-8.`);
    }
  }
  return { format: "base64", content: Buffer.from(bytes).toString("base64") };
}
