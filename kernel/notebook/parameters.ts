/** Parameters from outside, as papermill does it: a cell tagged "parameters" holds the defaults, one put in after it overrides them. */
import type { Content } from "../messages.ts";
import { type CodeCell, cellId, type Notebook } from "./nbformat.ts";

const hasTag = (metadata: Content, tag: string) => Array.isArray(metadata.tags) && metadata.tags.includes(tag);

/** `name=value`; the value is JSON where it is JSON (`3`, `[1,2]`, `true`), and text otherwise. @throws SyntaxError */
export function parseParameter(text: string): [string, unknown] {
  const match = /^([A-Za-z_$][\w$]*)=([\s\S]*)$/.exec(text);
  if (!match) throw new SyntaxError(`--param: name=value is required, got ${text}`);
  try {
    return [match[1]!, JSON.parse(match[2]!)];
  } catch {
    return [match[1]!, match[2]!];
  }
}

/** Puts the cell in. Without a cell tagged "parameters" it comes first. */
export function injectParameters(notebook: Notebook, values: Record<string, unknown>): void {
  const names = Object.keys(values);
  if (names.length === 0) return;
  notebook.cells = notebook.cells.filter((cell) => !hasTag(cell.metadata, "injected-parameters"));
  const at = notebook.cells.findIndex((cell) => hasTag(cell.metadata, "parameters"));
  const defaults = notebook.cells[at]?.source ?? "";
  // A name that the defaults declare is assigned, so that functions of the cell see the value; a new one is declared.
  const line = (name: string) => {
    const declared = new RegExp(`\\b(let|var)\\s+${name.replaceAll("$", "\\$")}\\b`).test(defaults);
    return `${declared ? "" : "const "}${name} = ${JSON.stringify(values[name])};`;
  };
  const cell: CodeCell = {
    id: cellId(),
    cell_type: "code",
    metadata: { tags: ["injected-parameters"] },
    source: `// Parameters\n${names.map(line).join("\n")}`,
    execution_count: null,
    outputs: [],
  };
  notebook.cells.splice(at + 1, 0, cell);
}
