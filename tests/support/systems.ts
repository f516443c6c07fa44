/** The systems catalogue: which of its rows the library implements, by the `Implements:` lines of doc comments and by no other rule. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { camel } from "./members.ts";
import { mechanismTests, proofs } from "./proofs.ts";
import { reference, type Study, studyOutcomes } from "./reference.ts";

const root = new URL("../../", import.meta.url).pathname;

/** A row of the catalogue: a published system. */
export interface System {
  readonly id: string;
  /** What it is called; a text in brackets, or after " / ", may be left out where it is named. */
  readonly name: string;
  readonly kind: string;
  /** How near it is to what a library for continual learning is for: A, B, C; D is outside. */
  readonly tier: string;
  readonly title: string;
}

/** A line `Implements: P071 EWC` of a doc comment. */
export interface Mark {
  readonly id: string;
  /** The file from the root of the repository, and the line. */
  readonly file: string;
  readonly line: number;
  /** The export that the doc comment is of; of a comment at the head of a file, the file's main export. */
  readonly member: string;
}

/** All rows, in the order of their ids. */
export const systems: readonly System[] = readFileSync(new URL("systems.tsv", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .slice(1)
  .map((line) => {
    const [id, name, kind, tier, title] = line.split("\t") as [string, string, string, string, string];
    return { id, name, kind, tier, title };
  });

/** The names by which a row may be named: "WSN / SoftNet" as it is, "WSN" and "SoftNet"; "L2P (Learning to Prompt)" as it is and "L2P". */
export function namesOf({ name }: System): string[] {
  const bare = name.replace(/ \([^)]*\)$/, "");
  return [...new Set([name, bare, ...bare.split(" / ")])].sort((a, b) => b.length - a.length);
}

/** The marks in the text of a file, and what is wrong with them, in sentences. */
export function marksIn(file: string, text: string): { readonly marks: readonly Mark[]; readonly wrong: string[] } {
  const marks: Mark[] = [];
  const wrong: string[] = [];
  const comments = [...text.matchAll(/\/\*\*(?:(?!\*\/)[\s\S])*\*\//g)].map(({ index, 0: { length } }) => ({
    from: index,
    to: index + length,
  }));
  for (const found of text.matchAll(/^.*\bImplements: ?(.*)$/gm)) {
    const line = text.slice(0, found.index).split("\n").length;
    const at = `${file}:${line}`;
    const [, id, said] = /^[ \t]*(?:\/\*\*|\*) Implements: (P\d{3}) (.*?)(?: ?\*\/)?$/.exec(found[0]) ?? [];
    const comment = comments.find(({ from, to }) => from <= found.index + found[0].length && found.index < to);
    const row = systems.find((system) => system.id === id);
    const name = row === undefined ? undefined : namesOf(row).find((one) => said!.startsWith(one));
    if (id === undefined || comment === undefined)
      wrong.push(
        `${at}: "Implements: P071 EWC" alone on a line of a doc comment is required, got "${found[0].trim()}"`,
      );
    else if (row === undefined) wrong.push(`${at}: a row of tests/support/systems.tsv is required, got ${id}`);
    else if (name === undefined || !/^(?:$|[.,;:]| \()/.test(said!.slice(name.length)))
      wrong.push(`${at}: ${id} is ${namesOf(row).join(" or ")}, got "${said}"`);
    else if (/\bP\d{3}\b/.test(said!)) wrong.push(`${at}: one row on a line is required, got "${said}"`);
    else {
      const after = /^\s*export (?:const|(?:async )?function|interface|type) (\w+)/.exec(text.slice(comment.to));
      marks.push({ id, file, line, member: after?.[1] ?? camel(file) });
    }
  }
  return { marks, wrong };
}

/** Every mark of the library, and what is wrong: ids, names, rows that no test names, studies of what is not there. */
export function implemented(): { readonly marks: readonly Mark[]; readonly wrong: readonly string[] } {
  const all = readdirSync(join(root, "lib"), { recursive: true })
    .map((name) => `lib/${String(name)}`)
    .filter((name) => name.endsWith(".ts") && !name.endsWith("/index.ts") && name !== "lib/dsl/sources.ts")
    .sort()
    .map((file) => marksIn(file, readFileSync(join(root, file), "utf8")));
  const marks = all.flatMap((file) => file.marks);
  const untested = marks
    .filter(({ id, file, member }) => mechanismTests(id, file, member).length === 0)
    .map(
      ({ id, file, member }) => `${file}: ${id} has no test; call ${member} in one below tests/, or name ${id} there`,
    );
  const studies = Object.entries(studied()).flatMap(([id, { outcome }]) => [
    ...(marks.some((mark) => mark.id === id) ? [] : [`reference.json: a study of ${id}, which nothing implements`]),
    ...(studyOutcomes.includes(outcome) ? [] : [`reference.json: ${id} has the outcome "${outcome}"`]),
  ]);
  return { marks, wrong: [...all.flatMap((file) => file.wrong), ...untested, ...studies] };
}

function studied(): Readonly<Record<string, Study>> {
  return (reference().studies ?? {}) as Record<string, Study>;
}

/** What a study came to, in a few words. */
function outcome({ headline, outcome, figures, seeds }: Study): string {
  const numbers = Object.entries(figures).map(([name, value]) =>
    typeof value === "number"
      ? `${name} ${value}`
      : `${name} ${value.mean} (${value.interval[0]} to ${value.interval[1]})`,
  );
  return `${outcome}: ${headline} [${[...numbers, `${seeds} seed${seeds === 1 ? "" : "s"}`].join("; ")}]`;
}

/** A title, cut at a word where it is long. */
function short(title: string): string {
  return title.length <= 72 ? title : `${title.slice(0, 72).replace(/[\s:,;–-]+\S*$/, "")}…`;
}

/** The part of the catalogue. */
export function systemsTable(): string {
  const { marks } = implemented();
  const known = proofs();
  const cell = (text: string): string => text.replace(/\|/g, "\\|");
  const rows = systems.map((system) => {
    const own = marks.filter(({ id }) => id === system.id);
    const study = studied()[system.id];
    const where = own.map(({ member, file }) => `[\`${member}\`](${file})`).join(", ");
    const proven = own.flatMap(({ id, file, member }) => [
      ...mechanismTests(id, file, member)
        .slice(0, 1)
        .map((test) => `[mechanism](${test})`),
      ...(file.startsWith("lib/strategies/") ? known(member).split("; ") : []).filter(
        (text) => text !== "" && text !== "mechanism tested",
      ),
    ]);
    const built = [where, [...new Set(proven)].join("; "), study === undefined ? "" : outcome(study)];
    const cells = own.length === 0 ? ["not built", "", ""] : built;
    return `| ${[system.id, system.name, short(system.title), system.kind, ...cells].map(cell).join(" | ")} |`;
  });
  const count = new Set(marks.map(({ id }) => id)).size;
  return `## Systems\n\n${count} of ${systems.length} published systems are here. A row is marked by an \`Implements:\` line in a doc comment and by nothing else; where the code differs from the paper, that comment says so.\n\n| id | name | title | kind | where | how it is proven | outcome of its study |\n|---|---|---|---|---|---|---|\n${rows.join("\n")}\n`;
}
