/** Writes CATALOGUE.md from the doc comments of everything that is one file each; `--check` only says whether it is true. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { camel, filesOf } from "./members.ts";
import { proofs } from "./proofs.ts";
import { published } from "./published.ts";
import { systemsTable } from "./systems.ts";
import { tokensTable } from "./tokens.ts";

const root = new URL("../../", import.meta.url).pathname;
const file = join(root, "CATALOGUE.md");

/** The parts of the catalogue: folder, heading, and the files that are contracts and not entries. */
const parts: readonly (readonly [folder: string, heading: string, contracts: readonly string[]])[] = [
  ["strategies", "Strategies", ["strategy"]],
  ["streams/sources", "Stream sources", []],
  ["streams/operators", "Stream operators", []],
  ["data", "Data sets", ["dataset", "options"]],
  ["models/backbones", "Backbones", []],
  ["models/layers", "Layers", []],
  ["models/heads", "Heads", []],
  ["models/adapters", "Adapters", []],
  ["optim/optimizers", "Optimizers", []],
  ["optim/schedules", "Schedules", []],
  ["optim/batching", "Batching", []],
  ["optim/transformations", "Gradient transformations", []],
  ["optim/wrappers", "Around optimizers", []],
  ["merge", "Merging", ["merging"]],
  ["edit", "Editing", ["editing"]],
  ["prune", "Pruning", ["pruning"]],
  ["quantise", "Quantising", ["quantising"]],
  ["expand", "Expanding", ["expanded"]],
  ["simulate", "Simulated machines", ["program", "codec", "simulated"]],
  ["metrics", "Metrics", ["metric", "frame", "statistics", "accuracy-matrix"]],
  ["train/probes", "Probes", ["cadence", "inside"]],
  ["plots", "Plots", ["figure"]],
];

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly what: string;
  readonly source: string;
  readonly differs: string;
}

/** Where a file may have several entries: each export with an example of its own is one. */
const several = ["metrics", "train/probes"];

/** Reads the doc comments of the exports of a file that are entries: its main one, and in some folders all that have an example. */
function entriesOf(folder: string, name: string): Entry[] {
  const text = readFileSync(join(root, `lib/${folder}/${name}`), "utf8");
  const documented = [
    ...text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export (?:const|(?:async )?function) (\w+)/g),
  ].flatMap(([, doc, own]) => (own !== camel(name) && doc!.includes("@example") ? [own!] : []));
  return [camel(name), ...(several.includes(folder) ? documented : [])].flatMap(
    (main) => entry(`lib/${folder}/${name}`, text, main) ?? [],
  );
}

/** Reads the doc comment of an export. */
function entry(path: string, text: string, main: string): Entry | undefined {
  const doc = new RegExp(`/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s*export (?:const|(?:async )?function) ${main}\\b`).exec(
    text,
  )?.[1];
  if (doc === undefined) return undefined;
  const lines = doc
    .replace(/^[ \t]*\* ?/gm, "")
    .replace(/```[\s\S]*?```/g, "")
    .replace(/^@\w+.*$/gm, "")
    .replace(/^Implements: .*$/gm, "")
    .trim();
  const sentences = lines.split(/\n\s*\n/).map((part) => part.replace(/\s+/g, " ").trim());
  const differs = /Differs from the paper: (.*)/s.exec(lines)?.[1]?.replace(/\s+/g, " ").trim() ?? "";
  const source =
    sentences.findLast((s) => /\b(19|20)\d\d\b/.test(s) && /(arXiv|et al|[A-Z][a-z]+ (and|&) |[A-Z]\. |, )/.test(s)) ??
    "";
  const what = /^(.*?[.:])(?:\s|$)/s.exec(sentences[0] ?? "")?.[1]?.replace(/:$/, ".") ?? sentences[0] ?? "";
  return { name: main, path, what, source: source.replace(/ ?Differs from the paper:.*/, ""), differs };
}

const cell = (text: string): string => text.replace(/\|/g, "\\|");

/** The text of the catalogue. */
export function catalogue(): string {
  const sections = parts.flatMap(([folder, heading, contracts]) => {
    if (!existsSync(join(root, "lib", folder))) return [];
    const names = filesOf(
      folder,
      contracts.map((contract) => `${contract}.ts`),
    );
    const entries = names.flatMap((name) => entriesOf(folder, name));
    if (entries.length === 0) return [];
    const known = folder === "strategies" ? proofs() : undefined;
    const rows = entries.map(
      (e) =>
        `| [\`${e.name}\`](${e.path}) | ${cell(e.what)} | ${cell(e.source)} | ${cell(e.differs)} |${known === undefined ? "" : ` ${known(e.name)} |`}`,
    );
    const [titles, rule] = known === undefined ? ["", ""] : [" confirmed by |", "---|"];
    return [
      `## ${heading} (${entries.length})\n\n| name | what it is | source | differs from the source |${titles}\n|---|---|---|---|${rule}\n${rows.join("\n")}\n`,
    ];
  });
  return `# Catalogue\n\nEverything that is one file each, from its own doc comment. Written by \`npm run gen\`.\n\n${sections.join("\n")}\n${tokensTable()}\n${published()}\n${systemsTable()}`;
}

/** Whether the catalogue is what it should be. */
export function catalogueIsTrue(): boolean {
  try {
    return readFileSync(file, "utf8") === catalogue();
  } catch {
    return false;
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  if (!process.argv.includes("--check")) writeFileSync(file, catalogue());
  else if (!catalogueIsTrue()) {
    console.log("stale: CATALOGUE.md; run npm run gen");
    process.exitCode = 1;
  }
}
