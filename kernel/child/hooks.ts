/**
 * Module hooks of the user's process (they run in Node's loader thread): names resolve from the notebook's folder, local files are
 * fresh after an edit, local TypeScript is compiled, and the preloaded package is one instance for everybody.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import type { InitializeHook, LoadHook, ResolveHook } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { MessagePort } from "node:worker_threads";
import { transpile } from "../cell/transpile.ts";

export interface HooksData {
  /** Receives `{ url, mappings, code }` of every TypeScript file compiled. */
  port: MessagePort;
  preload?: { url: string; package: string };
}

interface Local {
  mtime: number;
  version: number;
  imports: Set<string>;
}

/** What a cell imports: `cell:` followed by this, as JSON. */
export interface CellImport {
  specifier: string;
  parent: string;
  again: number;
}

let data: HooksData;
const locals = new Map<string, Local>();

export const initialize: InitializeHook<HooksData> = (given) => {
  data = given;
};

export const resolve: ResolveHook = async (specifier, context, next) => {
  const fromCell = specifier.startsWith("cell:");
  const request = fromCell
    ? (JSON.parse(decodeURIComponent(specifier.slice("cell:".length))) as CellImport)
    : undefined;
  const name = request?.specifier ?? specifier;
  const parent = (request?.parent ?? context.parentURL ?? "").replace(/\?local=\d+$/, "");
  const preloaded = preloadedUrl(name);
  if (preloaded) return next(preloaded, context);
  const local = fromCell || locals.has(parent);
  const wanted = local && /^(\.{0,2}\/|file:)/.test(name) ? typescriptFor(name, parent) : name;
  const found = await next(wanted, { ...context, ...(local ? { parentURL: parent } : {}) });
  if (!local || !isLocal(found.url)) return found;
  const url = found.url.replace(/\?local=\d+$/, "");
  if (!fromCell) locals.get(parent)!.imports.add(url);
  const format = /\.[cm]?tsx?$/.test(url) ? "module" : found.format;
  return { ...found, url: `${url}?local=${version(url, new Set())}`, format, shortCircuit: true };
};

export const load: LoadHook = async (url, context, next) => {
  const file = /^(file:.*\.[cm]?tsx?)\?local=\d+$/.exec(url)?.[1];
  if (file === undefined) return next(url, context);
  const path = fileURLToPath(file);
  const { code, mappings } = transpile(readFileSync(path, "utf8"), path);
  data.port.postMessage({ url, mappings });
  return { format: "module", source: code, shortCircuit: true };
};

/** "thalweg" or "thalweg/streams" when thalweg is what was preloaded: the same files, so the same module instances. */
function preloadedUrl(name: string): string | undefined {
  const { preload } = data;
  if (!preload) return undefined;
  if (name === preload.package) return preload.url;
  if (!name.startsWith(`${preload.package}/`)) return undefined;
  const url = new URL(
    `./${name.slice(preload.package.length + 1)}/index${/\.[jt]s$/.exec(preload.url)?.[0] ?? ".js"}`,
    preload.url,
  );
  return existsSync(url) ? url.href : undefined;
}

function isLocal(url: string): boolean {
  if (!url.startsWith("file:") || url.includes("/node_modules/")) return false;
  const library = data.preload && new URL(".", data.preload.url).href;
  return !(library && url.startsWith(library)) && /\.([cm]?[jt]sx?|json)(\?|$)/.test(url) && !/\.cjs(\?|$)/.test(url);
}

/** TypeScript's habits: `./x` and `./x.js` mean `./x.ts` when only that is there. */
function typescriptFor(name: string, parent: string): string {
  const url = name.startsWith("file:")
    ? new URL(name)
    : name.startsWith("/")
      ? pathToFileURL(name)
      : new URL(name, parent);
  if (existsSync(url) && statSync(url).isFile()) return url.href;
  const { href } = url;
  const candidates = [
    href.replace(/\.([cm]?)js$/, ".$1ts"),
    `${href}.ts`,
    `${href}.tsx`,
    `${href}.js`,
    `${href}/index.ts`,
    `${href}/index.js`,
  ];
  return candidates.find((candidate) => candidate !== href && existsSync(new URL(candidate))) ?? href;
}

/** A number that grows when the file, or a local file it imports, was changed since it was last asked. */
function version(url: string, visiting: Set<string>): number {
  const known = locals.get(url);
  if (visiting.has(url)) return known?.version ?? 0;
  visiting.add(url);
  let mtime = 0;
  try {
    mtime = statSync(new URL(url)).mtimeMs;
  } catch {
    return known?.version ?? 0;
  }
  if (!known) {
    locals.set(url, { mtime, version: 0, imports: new Set() });
    return 0;
  }
  const before = [...known.imports].map((dependency) => locals.get(dependency)?.version);
  const after = [...known.imports].map((dependency) => version(dependency, visiting));
  if (mtime !== known.mtime || before.some((v, i) => v !== after[i])) {
    known.mtime = mtime;
    known.version++;
    known.imports.clear();
  }
  return known.version;
}
