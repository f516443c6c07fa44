/** `thalweg convert`: a notebook as plain source and back, or as a page, without running it. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type Notebook, notebookJson, readNotebook, writeWhole } from "../notebook/nbformat.ts";
import { notebookPage } from "../notebook/page.ts";
import { printPdf } from "../notebook/pdf.ts";
import { nameless, openNotebook } from "../notebook/read.ts";
import { notebookOfSource, sourceOf } from "../notebook/source.ts";
import { ownLibrary } from "../preload.ts";
import { controlNames } from "../widgets/names.ts";
import { UsageError } from "./options.ts";

export const usage = `thalweg convert <notebook.ipynb | notebook.ts> --to ts|ipynb|html|slides|pdf [--out file]
  ts: plain TypeScript with marks between the cells, which ipynb makes the same notebook again; other files can import it. Outputs stay in
  the .ipynb. html: one page, in which scripts of outputs do not run; figures do. slides: the same, a slide for each heading, or as the
  slideshow metadata of cells say; arrow keys go on. pdf: the page, printed by the Chromium or Chrome that is there.`;

const forms: Record<string, (notebook: Notebook, title: string, target: string) => Promise<string> | string> = {
  ts: async (notebook) => sourceOf(notebook, { names: await libraryNames(notebook) }),
  ipynb(notebook, _, target) {
    // What cells that did not change have shown is kept.
    const before = existsSync(target) ? readNotebook(target) : undefined;
    return notebookJson(before ? notebookOfSource(sourceOf(notebook), before) : notebook);
  },
  html: (notebook, title) => notebookPage(notebook, { title, own: false }),
  slides: (notebook, title) => notebookPage(notebook, { title, own: false, slides: true }),
};

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { to: { type: "string" }, out: { type: "string" } },
  });
  const [path] = positionals;
  if (values.to === "pdf" && path !== undefined) {
    const target = values.out ?? `${nameless(path)}.pdf`;
    await printPdf(notebookPage(openNotebook(path), { title: nameless(basename(path)), own: false }), target);
    console.log(target);
    return 0;
  }
  const form = values.to !== undefined && Object.hasOwn(forms, values.to) ? forms[values.to] : undefined;
  if (path === undefined || !form || positionals.length > 1) throw new UsageError(usage);
  const notebook = openNotebook(path);
  const target = values.out ?? `${nameless(path)}.${values.to === "slides" ? "slides.html" : values.to}`;
  writeWhole(target, await form(notebook, nameless(basename(path)), target));
  console.log(target);
  return 0;
}

/** What a session has from the library without an import. */
async function libraryNames(notebook: Notebook): Promise<Set<string>> {
  if (!notebook.cells.some((cell) => cell.cell_type === "code" && cell.source.trim() !== "")) return new Set();
  const library = (await import(pathToFileURL(ownLibrary()).href)) as Record<string, unknown>;
  const own = new Set<string>(["default", ...controlNames]);
  return new Set(Object.keys(library).filter((name) => !own.has(name)));
}
