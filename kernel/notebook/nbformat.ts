/** Notebooks on disk, nbformat 4.5. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { languageInfo } from "../kernel-info.ts";
import type { Bundle, Content } from "../messages.ts";

export type CellOutput =
  | { output_type: "stream"; name: "stdout" | "stderr"; text: string }
  | { output_type: "display_data"; data: Bundle; metadata: Content }
  | { output_type: "execute_result"; data: Bundle; metadata: Content; execution_count: number | null }
  | { output_type: "error"; ename: string; evalue: string; traceback: string[] };

interface CellBase {
  id: string;
  metadata: Content;
  source: string;
}
export interface CodeCell extends CellBase {
  cell_type: "code";
  execution_count: number | null;
  outputs: CellOutput[];
}
export interface TextCell<T extends "markdown" | "raw" = "markdown" | "raw"> extends CellBase {
  cell_type: T;
  attachments?: Record<string, Bundle>;
}
export type NotebookCell = CodeCell | TextCell<"markdown"> | TextCell<"raw">;

export interface Notebook {
  nbformat: 4;
  nbformat_minor: number;
  metadata: Content;
  cells: NotebookCell[];
}

export const kernelspec = { name: "thalweg", display_name: "TypeScript (Thalweg)", language: "typescript" };

/** Reads nbformat 4.x; text that is stored as lists of lines is joined. @throws when it is not a notebook. */
export function readNotebook(path: string): Notebook {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  } catch (error) {
    throw new Error(
      `readNotebook: ${path} must be a notebook, got ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return notebookOf(parsed, path);
}

export function notebookOf(parsed: Record<string, unknown>, path = "the notebook"): Notebook {
  if (parsed.nbformat !== 4 || !Array.isArray(parsed.cells)) {
    throw new Error(
      `readNotebook: ${path} must be nbformat 4 with cells, got nbformat ${String(parsed.nbformat)}; open and save it in Jupyter to upgrade it`,
    );
  }
  const ids = new Set<string>();
  const cells = (parsed.cells as Record<string, unknown>[]).map((cell): NotebookCell => {
    const given =
      typeof cell.id === "string" && /^[a-zA-Z0-9_-]{1,64}$/.test(cell.id) && !ids.has(cell.id) ? cell.id : cellId();
    ids.add(given);
    const base = { id: given, metadata: (cell.metadata ?? {}) as Content, source: joined(cell.source) };
    if (cell.cell_type !== "code") {
      const attachments = cell.attachments as Record<string, Bundle> | undefined;
      const text = { ...base, ...(attachments ? { attachments } : {}) };
      return cell.cell_type === "raw" ? { cell_type: "raw", ...text } : { cell_type: "markdown", ...text };
    }
    return {
      cell_type: "code",
      ...base,
      execution_count: (cell.execution_count as number | null | undefined) ?? null,
      outputs: ((cell.outputs ?? []) as Record<string, unknown>[]).map(readOutput),
    };
  });
  return { nbformat: 4, nbformat_minor: 5, metadata: (parsed.metadata ?? {}) as Content, cells };
}

function readOutput(output: Record<string, unknown>): CellOutput {
  if (output.output_type === "stream")
    return { ...(output as CellOutput & { output_type: "stream" }), text: joined(output.text) };
  if (output.output_type === "error") return output as CellOutput;
  const data = Object.fromEntries(
    Object.entries((output.data ?? {}) as Bundle).map(([mime, value]) => [
      mime,
      isJson(mime) || !Array.isArray(value) ? value : joined(value),
    ]),
  );
  return {
    ...(output as CellOutput & { output_type: "display_data" }),
    data,
    metadata: (output.metadata ?? {}) as Content,
  };
}

const joined = (text: unknown): string => (Array.isArray(text) ? text.join("") : String(text ?? ""));
const isJson = (mime: string) => /^application\/(.*\+)?json$/.test(mime);

export const cellId = () => randomUUID().slice(0, 8);

/** Text as Jupyter stores it: a list of lines, so that differences are readable. */
const lines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+/g) ?? [];

/** The text of the file. It says that this kernel runs it, unless the metadata are given. */
export function notebookJson(notebook: Notebook, given?: Content): string {
  const cells = notebook.cells.map((cell) => ({
    ...cell,
    source: lines(cell.source),
    ...(cell.cell_type === "code" ? { outputs: cell.outputs.map(writeOutput) } : {}),
  }));
  const { name, version, mimetype, file_extension, codemirror_mode, pygments_lexer } = languageInfo;
  const metadata = given ?? {
    ...notebook.metadata,
    kernelspec,
    language_info: { name, version, mimetype, file_extension, codemirror_mode, pygments_lexer },
  };
  return `${JSON.stringify({ cells, metadata, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
}

function writeOutput(output: CellOutput): unknown {
  if (output.output_type === "stream") return { ...output, text: lines(output.text) };
  if (output.output_type === "error") return output;
  const data = Object.fromEntries(
    Object.entries(output.data).map(([mime, value]) => [
      mime,
      isJson(mime) ? value : /^(text\/|image\/svg)/.test(mime) ? lines(String(value)) : String(value),
    ]),
  );
  return { ...output, data };
}

/** Writes whole files only: a reader, or a crash, never meets half of one. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}
