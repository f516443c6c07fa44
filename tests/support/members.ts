/** The files of a folder of the library, with what each exports: contract tests read these, so that a new file is tested by being there. */
import { readdirSync, readFileSync } from "node:fs";

/** One file of a folder. */
export interface Member {
  /** The name of its main export: the file's name in camel case. */
  readonly name: string;
  readonly text: string;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Reads and imports every file of a folder below lib/, but its barrel and those named. */
export async function members(folder: string, without: readonly string[] = []): Promise<Member[]> {
  const path = new URL(`../../lib/${folder}/`, import.meta.url).pathname;
  const files = readdirSync(path).filter(
    (file) => file.endsWith(".ts") && file !== "index.ts" && !without.includes(file),
  );
  return Promise.all(
    files.sort().map(async (file) => ({
      name: camel(file),
      text: readFileSync(path + file, "utf8"),
      exports: (await import(path + file)) as Record<string, unknown>,
    })),
  );
}

/** The main export of a file: `batch-norm.ts` has `batchNorm`. */
export function camel(file: string): string {
  return file.slice(0, -3).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
