/**
 * Packages that a notebook pins: exact versions, in its metadata (`thalweg.packages`) or in a comment of a code cell,
 * `// npm: lodash@4.17.21 d3-array@3.2.4`. They are installed into a folder of the notebook, `.thalweg/<name>/`, by the lock that is there
 * after the first time, without scripts of packages. Nothing here is called when a notebook is opened.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Notebook } from "./nbformat.ts";
import { nameless } from "./read.ts";

export type Pins = Readonly<Record<string, string>>;

const nameForm = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
const versionForm = /^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/;

/** The packages that a notebook pins. @throws with a sentence when one is not pinned to a version, or to two. */
export function pinsOf(notebook: Notebook): Pins {
  const pins: Record<string, string> = {};
  function add(name: string, version: unknown): void {
    if (!nameForm.test(name)) throw new Error(`packages: the name of an npm package is required, got ${name}`);
    if (typeof version !== "string" || !versionForm.test(version))
      throw new Error(
        `packages: ${name} must be pinned to an exact version, as in ${name}@1.2.3, got ${String(version)}`,
      );
    if (Object.hasOwn(pins, name) && pins[name] !== version)
      throw new Error(`packages: one version of ${name} is required, got ${pins[name]} and ${version}`);
    pins[name] = version;
  }
  const own = (notebook.metadata.thalweg as { packages?: unknown } | undefined)?.packages;
  if (typeof own === "object" && own !== null) for (const [name, version] of Object.entries(own)) add(name, version);
  for (const cell of notebook.cells) {
    if (cell.cell_type !== "code") continue;
    for (const [, list] of cell.source.matchAll(/^\/\/ npm: (.+)$/gm))
      for (const spec of list!.trim().split(/[\s,]+/)) {
        const at = spec.lastIndexOf("@");
        add(at > 0 ? spec.slice(0, at) : spec, at > 0 ? spec.slice(at + 1) : undefined);
      }
  }
  return Object.fromEntries(Object.entries(pins).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Where the packages of a notebook are. */
export const packagesFolder = (notebook: string): string =>
  join(dirname(resolve(notebook)), ".thalweg", nameless(basename(notebook)));

const manifest = (pins: Pins) => `${JSON.stringify({ private: true, dependencies: pins }, null, 2)}\n`;
const read = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);

/** Whether what is in the folder is what the notebook pins. */
export function areInstalled(folder: string, pins: Pins): boolean {
  return (
    read(join(folder, "package.json")) === manifest(pins) &&
    existsSync(join(folder, "node_modules", ".package-lock.json"))
  );
}

/** Installs by the lock where it fits, and writes one otherwise. @throws with what npm said. */
export async function install(folder: string, pins: Pins): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const locked = read(join(folder, "package-lock.json"));
  const root = locked && (JSON.parse(locked) as { packages?: Record<string, { dependencies?: Pins }> }).packages?.[""];
  const fits = root && JSON.stringify(root.dependencies) === JSON.stringify(pins);
  writeFileSync(join(folder, "package.json"), manifest(pins));
  // Scripts of packages would run with the rights of the user before any cell was.
  const args = [fits ? "ci" : "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const child = spawn(npm, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], shell: npm.endsWith(".cmd") });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += String(chunk)));
  const code = await new Promise<number>((done) => {
    child.once("error", (error) => {
      said += error.message;
      done(1);
    });
    child.once("close", (status) => done(status ?? 1));
  });
  if (code !== 0) throw new Error(`packages: npm could not install ${list(pins)}:\n${said.trim()}`);
}

export const list = (pins: Pins): string =>
  Object.entries(pins)
    .map(([name, version]) => `${name}@${version}`)
    .join(", ");

export interface Consent {
  /** Where it is remembered for which notebooks the user has agreed. */
  file: string;
  /** Said on the command line. */
  given: boolean;
  /** Asks the person; undefined where nobody can be asked. */
  ask: ((question: string) => Promise<boolean>) | undefined;
}

/**
 * Has the packages of a notebook installed, if the user agreed to these of this notebook before, or does now.
 *
 * @returns the folder, or undefined when the notebook pins none.
 * @throws when nobody agreed.
 */
export async function ensurePackages(path: string, notebook: Notebook, consent: Consent): Promise<string | undefined> {
  const pins = pinsOf(notebook);
  if (Object.keys(pins).length === 0) return undefined;
  const folder = packagesFolder(path);
  if (areInstalled(folder, pins)) return folder;
  const digest = createHash("sha256")
    .update(`${resolve(path)}\n${manifest(pins)}`)
    .digest("hex");
  const known = new Set(JSON.parse(read(consent.file) ?? "[]") as string[]);
  const agreed =
    consent.given ||
    known.has(digest) ||
    (await consent.ask?.(`${path} asks for ${list(pins)} from npm. Install into ${folder}? [y/N] `));
  if (!agreed)
    throw new Error(
      `packages: ${path} asks for ${list(pins)}, and nobody agreed to install that; say --install if you do`,
    );
  await install(folder, pins);
  mkdirSync(dirname(consent.file), { recursive: true, mode: 0o700 });
  writeFileSync(consent.file, JSON.stringify([...known.add(digest)].slice(-4096)));
  return folder;
}
