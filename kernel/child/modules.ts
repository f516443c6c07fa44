/** Imports of cells: resolved from the notebook's folder, whatever the package's format. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire, findSourceMap, isBuiltin, register } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { sourceMap } from "../cell/source-map.ts";
import { rememberFile } from "./errors.ts";
import type { CellImport, HooksData } from "./hooks.ts";
import { tslab } from "./tslab.ts";

const folder = () => pathToFileURL(`${process.cwd()}/`);
let preload: { url: string; package: string } | undefined;
let maps: MessageChannel["port1"] | undefined;
let asked = 0;
let packages: { folder: string; names: ReadonlySet<string> } | undefined;

/** Has imports of the packages that are pinned in a folder come from there. */
export function usePackages(folder: string): void {
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  packages = { folder, names: new Set(Object.keys(dependencies)) };
}

/** From where a name is resolved: the notebook's folder, or that of its packages. */
function parentOf(name: string): string {
  const [, own] = /^((?:@[^/]+\/)?[^/]+)/.exec(name) ?? [];
  const pinned = packages?.names.has(own ?? "") === true;
  return new URL("notebook.ts", pinned ? pathToFileURL(`${packages!.folder}/`) : folder()).href;
}

/** Registers the hooks at the first import that needs them: a notebook without imports pays nothing. */
function ensureHooks(): void {
  if (maps) return;
  const { port1, port2 } = new MessageChannel();
  port1.unref();
  const self = new URL(import.meta.url);
  const hooks = new URL(`./hooks${self.pathname.endsWith(".ts") ? ".ts" : ".js"}`, self);
  const data: HooksData = { port: port2, ...(preload ? { preload } : {}) };
  register(hooks.href, { parentURL: self.href, data, transferList: [port2] });
  maps = port1;
}

/** Takes in the source maps of the local files compiled so far; called before a stack is formatted. */
export function receiveSourceMaps(): void {
  for (let got = maps && receiveMessageOnPort(maps); got; got = receiveMessageOnPort(maps!)) {
    const { url, mappings } = got.message as { url: string; mappings: string };
    let back: ReturnType<typeof sourceMap> | undefined;
    rememberFile(url, (line, column) => {
      back ??= sourceMap(mappings);
      // A loader around ours (tsx, on Node 22 and later) may have rewritten what we compiled: first back through its map.
      const outer = findSourceMap(url)?.findEntry(line - 1, column - 1);
      const at = outer && "originalLine" in outer ? outer : { originalLine: line - 1, originalColumn: column - 1 };
      const found = back({ line: at.originalLine, column: at.originalColumn });
      return found ? { line: found.line + 1, column: found.column + 1 } : { line, column };
    });
  }
}

/** `import(specifier)` of a cell. */
export async function importFromCell(specifier: unknown, options?: ImportCallOptions): Promise<unknown> {
  const name = String(specifier);
  if (isBuiltin(name)) return import(name);
  if (name === "tslab") return tslab;
  if (preload && name === preload.package) return import(preload.url);
  ensureHooks();
  // Node remembers what a name resolved to: a number makes it ask again for a local file, which may have been edited.
  const again = /^(\.{0,2}\/|file:)/.test(name) ? ++asked : 0;
  const request: CellImport = { specifier: name, parent: parentOf(name), again };
  const url = `cell:${encodeURIComponent(JSON.stringify(request))}`;
  try {
    return await (options?.with ? import(url, options) : import(url));
  } catch (error) {
    if (error instanceof Error)
      error.message = error.message.replace(/ imported from .*$/s, ` imported from ${process.cwd()}`);
    throw error;
  }
}

/** Loads the module whose names the session starts with. */
export async function preloadModule(
  specifier: string,
): Promise<{ url: string; package: string; namespace: Record<string, unknown> }> {
  const path = /^(file:|\.{0,2}\/|[A-Za-z]:\\)/.test(specifier)
    ? specifier.startsWith("file:")
      ? fileURLToPath(specifier)
      : resolve(specifier)
    : createRequire(join(process.cwd(), "notebook.ts")).resolve(specifier);
  if (!existsSync(path)) throw new Error(`${specifier} does not exist`);
  const url = pathToFileURL(path).href;
  const namespace = (await import(url)) as Record<string, unknown>;
  preload = { url, package: packageName(path) };
  return { ...preload, namespace };
}

/** Name in the nearest package.json; a file outside any package is only known by its path. */
function packageName(path: string): string {
  for (let at = dirname(path); ; at = dirname(at)) {
    const manifest = join(at, "package.json");
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: string };
      if (name) return name;
    }
    if (at === dirname(at)) return path;
  }
}

/** What `import.meta` is in a cell. */
export const meta = {
  get url() {
    return new URL("notebook.ts", folder()).href;
  },
  get dirname() {
    return process.cwd();
  },
  get filename() {
    return join(process.cwd(), "notebook.ts");
  },
  resolve: (specifier: string) =>
    pathToFileURL(createRequire(join(process.cwd(), "notebook.ts")).resolve(specifier)).href,
};
