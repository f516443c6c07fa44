/**
 * A notebook as plain TypeScript: its cells between marks, `// %%`, as VS Code and Jupytext know them. Written and read it is the same
 * notebook but for the outputs, which a source does not have. Two blocks are made anew each time and are no cells: `// %% [imports]`,
 * what the session has without asking for it, and `// %% [exports]`, what other files may import.
 *
 *     // %% [markdown]
 *     // # Title
 *
 *     // %% {"metadata":{"tags":["parameters"]}}
 *     const lr = 0.1
 *
 * A text that itself holds lines like marks gets marks with more percent signs; those of the first mark are those of the file.
 */
import { namesOf } from "../cell/names.ts";
import type { Bundle, Content } from "../messages.ts";
import { digest } from "../stale/digest.ts";
import { type CodeCell, kernelspec, type Notebook, type NotebookCell, notebookOf } from "./nbformat.ts";

/** What is said of a cell in its mark, where it is not the usual. */
interface Said {
  id?: string;
  metadata?: Content;
  attachments?: Record<string, Bundle>;
}

export interface SourceOptions {
  /** Names that cells have without an import, and the module they come from: for the block of imports. */
  names?: ReadonlySet<string>;
  from?: string;
}

/** The id of a cell that has no other: the same whenever the same text is read. */
const usualId = (source: string, place: number) => `${digest(source)}-${place}`;

export function sourceOf(notebook: Notebook, { names = new Set(), from = "thalweg" }: SourceOptions = {}): string {
  const bodies = notebook.cells.map((cell) => (cell.cell_type === "code" ? cell.source : commented(cell.source)));
  const mark = `// ${"%".repeat(percents(bodies))}`;
  const parts: string[] = [];
  const metadata = lasting(notebook.metadata);
  if (Object.keys(metadata).length > 0) parts.push(`${mark} [notebook] ${JSON.stringify(metadata)}`);
  const imports = importsOf(notebook, names, from);
  if (imports.length > 0) parts.push([`${mark} [imports]`, ...imports].join("\n"));
  for (const [i, cell] of notebook.cells.entries()) {
    const type = cell.cell_type === "code" ? "" : ` [${cell.cell_type}]`;
    const said = saidOf(cell, i);
    const header = Object.keys(said).length > 0 ? ` ${JSON.stringify(said)}` : "";
    parts.push(`${mark}${type}${header}${bodies[i] === "" ? "" : "\n"}${bodies[i]}`);
  }
  const exports = exportsOf(notebook);
  if (exports !== undefined) parts.push(`${mark} [exports]\n${exports}`);
  return `${parts.join("\n\n")}\n`;
}

/** @param before what was there under this name: cells whose text is the same keep their outputs. */
export function notebookOfSource(text: string, before?: Notebook): Notebook {
  const lines = text.replace(/\r\n/g, "\n").split("\n");
  const first = lines.map((line) => /^\/\/ (%%+)(?: |$)/.exec(line)?.[1]).find((found) => found !== undefined);
  const mark = new RegExp(`^// ${first ?? "%%"}(?!%)(?: \\[(\\w+)\\])?(?: (\\{.*\\}))?\\s*$`);
  const blocks: { type: string; said: Said & Content; lines: string[] }[] = [];
  for (const line of lines) {
    const found = mark.exec(line);
    if (found) blocks.push({ type: found[1] ?? "code", said: parsed(found[2], line), lines: [] });
    else if (blocks.length > 0) blocks.at(-1)!.lines.push(line);
    else if (line.trim() !== "" || blocks.length > 0) blocks.push({ type: "code", said: {}, lines: [line] });
  }
  let metadata: Content = {};
  const cells: Record<string, unknown>[] = [];
  for (const { type, said, lines } of blocks) {
    if (type === "notebook") metadata = said;
    if (!["code", "markdown", "raw"].includes(type)) continue;
    // The empty line before the next mark is not the cell's; at the end of the file it is the line break.
    const body = lines.at(-1) === "" ? lines.slice(0, -1) : lines;
    const source = type === "code" ? body.join("\n") : uncommented(body);
    const id = said.id ?? usualId(source, cells.length);
    const code = type === "code" ? { outputs: [], execution_count: null } : {};
    cells.push({ cell_type: type, source, metadata: {}, ...said, id, ...code });
  }
  const usual = { kernelspec, ...metadata };
  const made = notebookOf({ nbformat: 4, metadata: usual, cells }, "the source");
  return before ? withOutputs(made, before) : made;
}

function parsed(text: string | undefined, line: string): Said & Content {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Said & Content;
  } catch {
    throw new Error(`notebookOfSource: after the mark JSON is required, got ${line}`);
  }
}

/** Cells that say the same keep what they showed. */
function withOutputs(made: Notebook, before: Notebook): Notebook {
  const old = new Map(before.cells.map((cell) => [cell.id, cell]));
  for (const cell of made.cells) {
    const was = old.get(cell.id);
    if (cell.cell_type !== "code" || was?.cell_type !== "code" || was.source !== cell.source) continue;
    Object.assign(cell, { outputs: was.outputs, execution_count: was.execution_count });
    const { ran } = (was.metadata.thalweg ?? {}) as { ran?: string };
    if (ran !== undefined) cell.metadata.thalweg = { ...(cell.metadata.thalweg as object | undefined), ran };
  }
  const { widgets } = (before.metadata.thalweg ?? {}) as { widgets?: unknown };
  if (widgets !== undefined) made.metadata.thalweg = { ...(made.metadata.thalweg as object | undefined), widgets };
  return made;
}

/** Metadata without what belongs to outputs, and without what every notebook of ours has. */
function lasting(metadata: Content): Content {
  const { language_info: _, kernelspec: spec, thalweg, ...rest } = metadata;
  const { ran: __, widgets: ___, ...own } = (thalweg ?? {}) as Content;
  return {
    ...(spec === undefined || (spec as { name?: unknown }).name === kernelspec.name ? {} : { kernelspec: spec }),
    ...rest,
    ...(Object.keys(own).length > 0 ? { thalweg: own } : {}),
  };
}

function saidOf(cell: NotebookCell, place: number): Said {
  const metadata = lasting(cell.metadata);
  const attachments = cell.cell_type === "code" ? undefined : cell.attachments;
  return {
    ...(cell.id === usualId(cell.source, place) ? {} : { id: cell.id }),
    ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
    ...(attachments ? { attachments } : {}),
  };
}

/** More percent signs than any line has that looks like a mark. */
function percents(bodies: string[]): number {
  const longest = bodies.flatMap((body) => [...body.matchAll(/^\/\/ (%%+)/gm)].map((found) => found[1]!.length));
  return Math.max(1, ...longest) + 1;
}

const commented = (text: string) => (text === "" ? "" : text.replace(/^/gm, "// ").replace(/^\/\/ $/gm, "//"));
const uncommented = (lines: string[]) => lines.map((line) => line.replace(/^\/\/ ?/, "")).join("\n");

const code = (notebook: Notebook) => notebook.cells.filter((cell): cell is CodeCell => cell.cell_type === "code");

function importsOf(notebook: Notebook, names: ReadonlySet<string>, from: string): string[] {
  const all = code(notebook).map((cell) => namesOf(cell.source));
  const defined = new Set(all.flatMap(({ defines }) => defines));
  const used = [...new Set(all.flatMap(({ uses }) => uses))].filter((name) => !defined.has(name)).sort();
  const wanted = used.filter((name) => names.has(name));
  const lines = wanted.length > 0 ? [`import { ${wanted.join(", ")} } from ${JSON.stringify(from)};`] : [];
  if (used.includes("test") && !names.has("test")) lines.unshift('import { test } from "node:test";');
  return lines;
}

/** What other files may import; a notebook that declares a name twice is no module. */
function exportsOf(notebook: Notebook): string | undefined {
  const seen = new Set<string>();
  const twice = new Set<string>();
  const cells = code(notebook);
  for (const cell of cells)
    for (const name of namesOf(cell.source).defines) {
      if (seen.has(name)) twice.add(name);
      seen.add(name);
    }
  if (twice.size > 0)
    return `// No other file can import this one: ${[...twice].join(", ")} is declared in more than one cell.`;
  const already = cells.flatMap(({ source }) => [
    ...source.matchAll(/^export\s+(?:async\s+)?(?:const|let|var|function\*?|class)\s+(\w+)/gm),
  ]);
  for (const [, name] of already) seen.delete(name!);
  return seen.size === 0 ? undefined : `export { ${[...seen].join(", ")} };`;
}
