/** The files of a folder of the library, with what each exports: contract tests read these, so that a new file is tested by being there. */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";

/** One file of a folder. */
export interface Member {
  /** The name of its main export: the file's name in camel case. */
  readonly name: string;
  readonly text: string;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** The files of a folder below lib/ and of its rooms, but barrels, shared parts and those named: paths from the folder, by name. */
export function filesOf(folder: string, without: readonly string[] = []): string[] {
  return readdirSync(new URL(`../../lib/${folder}/`, import.meta.url), { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".ts") && !/(^|\/)(parts\/|index\.ts$)/.test(file) && !without.includes(file))
    .sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
}

/** Reads and imports every file of a folder below lib/ and of its rooms, but barrels, shared parts and those named. */
export async function members(folder: string, without: readonly string[] = []): Promise<Member[]> {
  const path = new URL(`../../lib/${folder}/`, import.meta.url).pathname;
  return Promise.all(
    filesOf(folder, without).map(async (file) => ({
      name: camel(file),
      text: readFileSync(path + file, "utf8"),
      exports: (await import(path + file)) as Record<string, unknown>,
    })),
  );
}

/** The main export of a file: `norm/batch-norm.ts` has `batchNorm`. */
export function camel(file: string): string {
  return basename(file, ".ts").replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
