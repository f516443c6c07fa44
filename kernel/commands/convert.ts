/** `thalweg convert`: a notebook as a script or as a page, without running it. */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type Notebook, readNotebook, writeWhole } from "../notebook/nbformat.ts";
import { notebookPage } from "../notebook/page.ts";
import { UsageError } from "./options.ts";

export const usage = `thalweg convert <notebook.ipynb> --to ts|html [--out file]
  Writes the notebook as a TypeScript file (text as comments) or as one HTML page, in which scripts of outputs do not run; figures do.`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { to: { type: "string" }, out: { type: "string" } },
  });
  const [path] = positionals;
  if (path === undefined || (values.to !== "ts" && values.to !== "html")) throw new UsageError(usage);
  const notebook = readNotebook(path);
  const title = basename(path).replace(/\.ipynb$/, "");
  const target = values.out ?? path.replace(/(\.ipynb)?$/, `.${values.to}`);
  writeWhole(target, values.to === "ts" ? script(notebook) : notebookPage(notebook, { title, own: false }));
  console.log(target);
  return 0;
}

/** The code cells in order; text between them as comments. */
export function script(notebook: Notebook): string {
  const parts = notebook.cells
    .filter((cell) => cell.source.trim() !== "")
    .map((cell) =>
      cell.cell_type === "code"
        ? cell.source.trimEnd()
        : cell.source
            .trimEnd()
            .replace(/^/gm, "// ")
            .replace(/[ \t]+$/gm, ""),
    );
  return `${parts.join("\n\n")}\n`;
}
