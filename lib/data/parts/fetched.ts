/** Finds the files of a data set: in a given folder, in the system's, or in the user's cache, where they are downloaded once. */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type DownloadOptions, download, type RemoteFile } from "../../engine/download.ts";
import { bar, megabytes } from "./bar.ts";

/** Where a data set's files may be. */
export interface Places {
  /** The data set's name: of the function, and of the folder in the cache. */
  readonly name: string;
  readonly files: readonly RemoteFile[];
  /** Folders where a system's packages put the files. */
  readonly system?: readonly string[];
  /** What installs them there, for the message. */
  readonly install?: string;
  /** The address that the file names are appended to; without it nothing is downloaded. */
  readonly url?: string;
  /** What to do by hand where nothing can be downloaded, for the message. */
  readonly byHand?: string;
}

/** What a loader of files can be told. */
export interface FetchOptions extends DownloadOptions {
  /** A folder that holds the files; default: the system's folder, then the cache, then a download into the cache. */
  readonly folder?: string;
  /** Whether files may be downloaded; default true. */
  readonly download?: boolean;
  /**
   * Called while a file is downloaded, with the bytes so far and the bytes in all (null when the server does not say); default: a bar in
   * a terminal or a notebook.
   */
  readonly progress?: (file: string, bytes: number, total: number | null) => void;
}

/** The folder that downloaded data sets are kept in: `THALWEG_CACHE`, else the user's cache folder. */
export function cacheFolder(): string {
  return process.env.THALWEG_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "thalweg", "data");
}

/**
 * The contents of all files of a data set, by name.
 *
 * @throws Error when they are nowhere and cannot be downloaded: it says the three ways to get them.
 */
export async function fetched(places: Places, options: FetchOptions = {}): Promise<ReadonlyMap<string, Uint8Array>> {
  const { name, files, system = [] } = places;
  const cache = join(cacheFolder(), name);
  const folder =
    options.folder ??
    [...system, cache].find((place) => files.every((file) => inFolder(place, file.name) !== undefined));
  if (folder === undefined) {
    if (options.download === false || places.url === undefined)
      throw new Error(`${name}: its files are required, found none; ${ways(places, cache)}`);
    await mkdir(cache, { recursive: true });
    for (const file of files) {
      if (inFolder(cache, file.name) === undefined) await downloaded(places, file, cache, options);
    }
  }
  const found = new Map<string, Uint8Array>();
  for (const file of files) {
    const path = inFolder(folder ?? cache, file.name);
    if (path === undefined)
      throw new Error(`${name}: ${file.name} is required in ${folder}, and is not there; ${ways(places, cache)}`);
    found.set(file.name, await readFile(path));
  }
  return found;
}

/** The file in the folder, gzipped or not. */
function inFolder(folder: string, name: string): string | undefined {
  return [name, name.replace(/\.gz$/, "")].map((file) => join(folder, file)).find(existsSync);
}

function ways({ install, url, byHand }: Places, cache: string): string {
  const second = install === undefined ? `put them into ${cache}` : `install them with \`${install}\``;
  const third = url === undefined ? (byHand ?? "") : `go online and let them be downloaded once from ${url}`;
  return `three ways to get them: give the folder that holds them as { folder }, ${second}, or ${third}`;
}

/** Downloads one file into the cache; an error says the three ways to get it. */
async function downloaded(places: Places, file: RemoteFile, cache: string, options: FetchOptions): Promise<void> {
  const drawn = bar(`${places.name}: ${file.name}`, megabytes);
  const progress = options.progress ?? ((_, bytes, total) => drawn.at(bytes, total));
  try {
    await download(`${places.url}${file.name}`, join(cache, file.name), file, { ...options, progress });
  } catch (cause) {
    throw new Error(`${places.name}: ${file.name} could not be downloaded (${reason(cause)}); ${ways(places, cache)}`, {
      cause,
    });
  } finally {
    drawn.end();
  }
}

function reason(cause: unknown): string {
  const error = cause as Error & { cause?: Error };
  return error.cause?.message ? `${error.message}: ${error.cause.message}` : error.message;
}
