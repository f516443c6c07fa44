/** Writes the index.ts of every folder below lib/ from the files in it; `--check` only says whether they are true. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const lib = new URL("../../lib/", import.meta.url).pathname;

/** Folders whose index is written by hand, or that are nobody's business outside their parent. */
const byHand = new Set(["engine"]);
const hidden = new Set(["parts", "files"]);
/** Folders whose members are reached through a name of their own, because their names are common words. */
const namespaced: Record<string, string> = { operators: "operators", layers: "layers" };

/** The text of the barrel of a folder. */
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
  return `// Written by \`npm run gen\`.\n${lines.join("\n")}\n`;
}

function hasSource(folder: string): boolean {
  return readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith(".ts"));
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

/** The folders whose barrel is not what it should be. */
export function staleBarrels(): string[] {
  return barrelFolders().filter((folder) => {
    const index = join(folder, "index.ts");
    return !existsSync(index) || readFileSync(index, "utf8") !== barrel(folder);
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const stale = staleBarrels();
  if (process.argv.includes("--check")) {
    for (const folder of stale) console.log(`stale: ${folder.slice(lib.length)}index.ts; run npm run gen`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else for (const folder of stale) writeFileSync(join(folder, "index.ts"), barrel(folder));
}
