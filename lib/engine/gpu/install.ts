/** Brings what CUDA needs to this machine: fetches wheels or takes them from a folder, unpacks their libraries, links the provider. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { rename, rm, statfs } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { digestOf, download } from "../download.ts";
import { binaries, native } from "../runtime/native.ts";
import { fileUrl, indexUrl, told } from "./package-index.ts";
import { inMegabytes, isLicence, isTaken, wheels as pinned, type Wheel, wheelsFor } from "./wheels.ts";
import { takeOut, zipEntries } from "./zip.ts";

/** Where the wheels come from and what is told meanwhile. */
export interface InstallOptions {
  /** The package index; default: pip's own setting `PIP_INDEX_URL`, else the public one. */
  readonly index?: string;
  /** A folder that holds the wheels; nothing is then fetched. */
  readonly from?: string;
  /** The wheels; default: those that belong to our ONNX Runtime. */
  readonly wheels?: readonly Wheel[];
  /** The folder of ONNX Runtime, beside which the provider is linked; default: that of the binding in use. */
  readonly beside?: string;
  /** Called as a wheel arrives. */
  readonly progress?: (wheel: Wheel, bytes: number) => void;
  /** Called with a sentence for each thing that is done. */
  readonly note?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** What is unpacked, by package: the checksum of its wheel. */
type Installed = Readonly<Record<string, string>>;

/** The folder of everything: `THALWEG_GPU`, else a folder for the user's programs. */
export const gpuFolder = (): string =>
  process.env.THALWEG_GPU ?? join(process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "thalweg", "gpu");

/** The folder of the libraries that belong to our ONNX Runtime. */
export const libraryFolder = (): string => join(gpuFolder(), wheelsFor, "lib");

const listPath = (): string => join(gpuFolder(), wheelsFor, "installed.json");

function installed(): Installed {
  try {
    return JSON.parse(readFileSync(listPath(), "utf8")) as Installed;
  } catch {
    return {};
  }
}

/** The wheels whose libraries are not there. */
export function missingWheels(wheels: readonly Wheel[] = pinned): Wheel[] {
  const has = installed();
  return wheels.filter(
    (wheel) => has[wheel.package] !== wheel.sha256 || !existsSync(join(libraryFolder(), wheel.library)),
  );
}

/**
 * Installs what is missing and links the provider beside ONNX Runtime. What was fetched in part goes on where it stopped.
 *
 * @throws Error when a wheel is not to be had or is another than the pinned one; nothing is then half there.
 */
export async function installGpu({ wheels = pinned, note = () => {}, ...options }: InstallOptions = {}): Promise<void> {
  for (const wheel of missingWheels(wheels)) {
    await requireRoom(wheel);
    const path = options.from === undefined ? await fetchWheel(wheel, options) : await inFolder(options.from, wheel);
    const bytes = await unpack(wheel, path);
    if (options.from === undefined) await rm(path);
    note(`${wheel.package} ${wheel.version} (${wheel.about}): ${inMegabytes(bytes)} unpacked`);
  }
  linkProvider(options.beside);
}

const wheelFolder = (): string => join(gpuFolder(), "wheels");

async function fetchWheel(wheel: Wheel, { index, progress, signal }: InstallOptions): Promise<string> {
  const { file, sha256, bytes } = wheel;
  const place = join(wheelFolder(), file);
  if (existsSync(place)) return checked(place, wheel);
  makeFolder(wheelFolder());
  const url = await fileUrl(indexUrl(index), wheel.package, file, signal);
  const following = { ...(signal && { signal }), progress: (_: string, so: number) => progress?.(wheel, so) };
  try {
    await download(url, place, { name: file, fileSha256: sha256 }, following);
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Error(
      `gpu install: ${file} (${inMegabytes(bytes)}) could not be fetched (${told(cause)}); what has arrived is kept, and the same command goes on from there`,
      { cause },
    );
  }
  return place;
}

async function inFolder(folder: string, wheel: Wheel): Promise<string> {
  const path = join(folder, wheel.file);
  if (existsSync(path)) return checked(path, wheel);
  throw new Error(
    `gpu install: ${wheel.file} is required in ${folder}, and is not there; thalweg gpu install --list says what is`,
  );
}

async function checked(path: string, { file, sha256 }: Wheel): Promise<string> {
  const got = await digestOf(path, "sha256");
  if (got === sha256) return path;
  throw new Error(
    `gpu install: ${file} with SHA-256 ${sha256} is required, got ${got}; take ${path} away and fetch it again`,
  );
}

/** Takes the libraries out of a wheel, with its licence; gives their bytes. */
async function unpack(wheel: Wheel, path: string): Promise<number> {
  const [libraries, licences] = [libraryFolder(), join(gpuFolder(), wheelsFor, "licences", wheel.package)];
  makeFolder(libraries);
  makeFolder(licences);
  let bytes = 0;
  for (const entry of await zipEntries(path)) {
    const [taken, legal] = [isTaken(entry.name), isLicence(entry.name)];
    if (!taken && !legal) continue;
    const place = join(taken ? libraries : licences, basename(entry.name));
    await takeOut(path, entry, `${place}.new`);
    await rename(`${place}.new`, place);
    bytes += taken ? entry.bytes : 0;
  }
  if (!existsSync(join(libraries, wheel.library)))
    throw new Error(`gpu install: a wheel with ${wheel.library} is required, and ${wheel.file} has none`);
  writeFileSync(listPath(), `${JSON.stringify({ ...installed(), [wheel.package]: wheel.sha256 }, null, 2)}\n`);
  return bytes;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new Error(
      `gpu install: a folder that can be written is required, got ${folder} (${told(cause)}); set THALWEG_GPU to another`,
    );
  }
}

/** Libraries take up to twice the room of their wheel, which lies beside them until they are unpacked. */
async function requireRoom({ bytes, file }: Wheel): Promise<void> {
  makeFolder(gpuFolder());
  const { bavail, bsize } = await statfs(gpuFolder());
  if (bavail * bsize < 3 * bytes)
    throw new Error(
      `gpu install: ${inMegabytes(3 * bytes)} of room are required for ${file}, got ${inMegabytes(bavail * bsize)} in ${gpuFolder()}; set THALWEG_GPU to a folder with more`,
    );
}

/** The files of ONNX Runtime's provider, which it looks for beside itself. */
export const providerFiles = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"] as const;

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

/** Whether ONNX Runtime finds its provider: the one of our folder, or one that someone else has put there, or none. */
export function linked(beside: string = binaries(native())): "ours" | "theirs" | "none" {
  const places = providerFiles.map((file) => join(beside, file));
  if (!places.every((place) => existsSync(place))) return "none";
  if (places.some((place) => !isLink(place))) return "theirs";
  return places.every((place) => dirname(readlinkSync(place)) === libraryFolder()) ? "ours" : "none";
}

/** Links the provider beside ONNX Runtime; what someone else has put there stays. */
export function linkProvider(folder: string = binaries(native())): void {
  for (const file of providerFiles) {
    const [place, source] = [join(folder, file), join(libraryFolder(), file)];
    if (existsSync(place) && !isLink(place)) continue;
    if (!existsSync(source)) continue;
    try {
      rmSync(place, { force: true });
      symlinkSync(source, place);
    } catch (cause) {
      throw new Error(
        `gpu install: a folder that can be written is required beside ONNX Runtime, got ${folder} (${told(cause)}); link ${source} there yourself`,
      );
    }
  }
}

/** Takes away all that was installed, of every version, and the links; gives the bytes that were freed. */
export function removeGpu(beside: string = binaries(native())): number {
  for (const file of providerFiles) {
    const place = join(beside, file);
    if (isLink(place) && dirname(dirname(dirname(readlinkSync(place)))) === gpuFolder()) rmSync(place);
  }
  const bytes = bytesBelow(gpuFolder());
  rmSync(gpuFolder(), { recursive: true, force: true });
  return bytes;
}

/** How much a folder holds. */
export function bytesBelow(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true })
    .map((name) => lstatSync(join(folder, String(name)), { throwIfNoEntry: false }))
    .reduce((sum, found) => sum + (found?.isFile() ? found.size : 0), 0);
}
