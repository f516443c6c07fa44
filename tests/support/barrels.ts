/** Writes the index.ts of every folder below lib/ from the files in it; `--check` only says whether they are true. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { sentenceOf } from "./folders.ts";

const lib = new URL("../../lib/", import.meta.url).pathname;

/** Folders whose index is written by hand, or that are nobody's business outside their parent. */
const byHand = new Set(["engine"]);
const hidden = new Set(["parts", "files"]);
/** Folders whose members are reached through a name of their own, because their names are common words. */
const namespaced: Record<string, string> = { operators: "operators", sources: "sources", layers: "layers" };

/** The text of the barrel of a folder: it opens with the sentence of the folder's contract. */
export function barrel(folder: string): string {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines: string[] = [];
  for (const entry of entries) {
    if (entry.isDirectory()) {
      if (hidden.has(entry.name) || !hasSource(join(folder, entry.name))) continue;
      const alias = namespaced[entry.name];
      lines.push(`export * ${alias === undefined ? "" : `as ${alias} `}from "./${entry.name}/index.ts";`);
    } else if (entry.name.endsWith(".ts") && entry.name !== "index.ts") lines.push(`export * from "./${entry.name}";`);
  }
  return `/** ${sentenceOf(relative(lib, folder))} */\n// Written by \`npm run gen\`.\n${lines.join("\n")}\n`;
}

function hasSource(folder: string): boolean {
  return readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith(".ts"));
}

/** The text of dsl/sources.ts: every source as a function that gives a fluent stream, with the source's own doc comment. */
export function fluentSources(): string {
  const folder = join(lib, "streams/sources");
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && name !== "index.ts");
  const made = files.sort().map((file) => {
    const name = file.slice(0, -3).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    const text = readFileSync(join(folder, file), "utf8");
    const doc = new RegExp(`(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/)\\s*export const ${name}\\b`).exec(text)?.[1] ?? "";
    const plain = doc.replace(/\n \*\n \* @example[\s\S]*?```\n[\s\S]*?```/, "");
    return `${plain === "" ? "" : `${plain}\n`}export const ${name} = fluentSource(sources.${name});\n`;
  });
  return `/** Stream sources as functions that give fluent streams. */\n// Written by \`npm run gen\`.\nimport * as sources from "../streams/sources/index.ts";\nimport { fluentSource } from "./stream.ts";\n\n${made.join("\n")}`;
}

/** Every folder below lib/ that has a generated barrel. */
export function barrelFolders(): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory() || hidden.has(entry.name) || byHand.has(entry.name)) continue;
      const inner = join(folder, entry.name);
      if (hasSource(inner)) found.push(inner);
      visit(inner);
    }
  };
  visit(lib);
  return found;
}

/** Every generated file that is not what it should be, with the text it should have. */
export function stale(): { readonly file: string; readonly text: string }[] {
  const wanted = [
    { file: join(lib, "dsl/sources.ts"), text: fluentSources() },
    ...barrelFolders().map((folder) => ({ file: join(folder, "index.ts"), text: barrel(folder) })),
  ];
  return wanted.filter(({ file, text }) => !existsSync(file) || readFileSync(file, "utf8") !== text);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const found = stale();
  if (process.argv.includes("--check")) {
    for (const { file } of found) console.log(`stale: lib/${file.slice(lib.length)}; run npm run gen`);
    process.exitCode = found.length === 0 ? 0 : 1;
  } else for (const { file, text } of found) writeFileSync(file, text);
}
