/** An executed notebook as ONE HTML page: no network, figures interactive, plotly.js in it once, every script named by its hash. */
import { createHash } from "node:crypto";
import { activate, figureOf, plotlyScript, scriptMark, staticHtml } from "../display/plotly.ts";
import { escapeHtml, scriptJson } from "../html.ts";
import type { Bundle } from "../messages.ts";
import type { State } from "../widgets/buffers.ts";
import { keptStates, modelIdOf, still } from "../widgets/stills.ts";
import { ansiHtml } from "./ansi.ts";
import { highlight } from "./highlight.ts";
import { type Heading, markdownHtml } from "./markdown.ts";
import type { CellOutput, Notebook, NotebookCell } from "./nbformat.ts";
import { deck, slideStyle, slidesOf } from "./slides.ts";
import { style } from "./style.ts";

export interface PageOptions {
  /** Used when the notebook begins without a heading. */
  title: string;
  /** Whether the outputs were made here and now. Scripts in outputs of others do not run; figures of ours do. Default true. */
  own?: boolean;
  /** As slides, one at a time, instead of one column. Default false. */
  slides?: boolean;
}

export function notebookPage(notebook: Notebook, { title, own = true, slides = false }: PageOptions): string {
  const headings: Heading[] = [];
  const page = { headings, figures: 0, widgets: keptStates(notebook.metadata) };
  const body = slides ? slidesHtml(notebook, page) : notebook.cells.map((cell) => cellHtml(cell, page)).join("\n");
  const heading = headings[0]?.text.replace(/[`*_]/g, "") ?? title;
  const scripts = page.figures > 0 ? [plotlyScript(), `(${drawAll.toString()})(${activate.toString()});`] : [];
  // Sources through a loader name functions by a helper, which must then be there.
  if (slides) scripts.push(`const __name = (f) => f; (${deck.toString()})();`);
  // What cells themselves showed may hold scripts: those of one's own run may run, and no others.
  const shown = own ? body : "";
  const inline = [...shown.matchAll(/<script(?![^>]*\btype="application\/json")[^>]*>([\s\S]*?)<\/script>/gi)].map(
    (match) => match[1]!,
  );
  const hashes = [...new Set([...scripts, ...inline])].map(
    (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`,
  );
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; script-src ${hashes.join(" ") || "'none'"}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="thalweg">
<title>${escapeHtml(heading)}</title>
<style>${style}${slides ? slideStyle : ""}</style>
</head>
<body>
<main>
${body}
</main>
${scripts.map((text) => `<script>${text}</script>`).join("\n")}
</body>
</html>
`;
}

interface Page {
  headings: Heading[];
  figures: number;
  widgets: Record<string, State>;
}

function slidesHtml(notebook: Notebook, page: Page): string {
  const sections = slidesOf(notebook.cells).map((parts) => {
    const cells = parts.map(({ cell, fragment }) =>
      fragment ? `<div class="fragment">${cellHtml(cell, page)}</div>` : cellHtml(cell, page),
    );
    return `<section class="slide">${cells.join("\n")}</section>`;
  });
  return `${sections.join("\n")}<div class="place"></div><div class="bar"></div>`;
}

function cellHtml(cell: NotebookCell, page: Page): string {
  if (cell.cell_type === "markdown")
    return `<section class="text-cell">${markdownHtml(cell.source, cell.attachments, page.headings)}</section>`;
  if (cell.cell_type !== "code") return `<pre class="cell">${escapeHtml(cell.source)}</pre>`;
  if (cell.source.trim() === "" && cell.outputs.length === 0) return "";
  const count = cell.execution_count === null ? "" : `<span class="count">${cell.execution_count}</span>`;
  const hide = (cell.metadata.jupyter as { source_hidden?: boolean } | undefined)?.source_hidden === true;
  const source = hide ? "" : `${count}<pre class="code"><code>${highlight(cell.source)}</code></pre>`;
  const outputs = cell.outputs.map((output) => outputHtml(output, page)).join("");
  return `<section class="cell">${source}${outputs ? `<div class="outputs">${outputs}</div>` : ""}</section>`;
}

function outputHtml(output: CellOutput, page: Page): string {
  switch (output.output_type) {
    case "stream": {
      const long = output.text.split("\n").length > 40 ? " long" : "";
      return `<pre class="output stream${output.name === "stderr" ? " stderr" : ""}${long}">${ansiHtml(output.text)}</pre>`;
    }
    case "error":
      return `<pre class="output error">${ansiHtml(output.traceback.join("\n"))}</pre>`;
    default:
      if (output.metadata.thalweg === scriptMark.thalweg) return "";
      return `<div class="output">${bundleHtml(output.data, page)}</div>`;
  }
}

/** The richest form that a page can show by itself. */
function bundleHtml(data: Bundle, page: Page): string {
  const text = (mime: string) => (data[mime] === undefined ? undefined : String(data[mime]));
  const figure = figureOf(data);
  if (figure) {
    const id = `figure-${++page.figures}`;
    const json = scriptJson({ data: figure.data, layout: figure.layout ?? {}, config: figure.config ?? {} });
    return `<div class="figure" id="${id}">${staticHtml(data)}</div><script type="application/json" data-figure="${id}">${json}</script>`;
  }
  const model = modelIdOf(data);
  const kept = model === undefined ? undefined : still(page.widgets[model] ?? {});
  if (kept !== undefined) return kept;
  const html = text("text/html");
  if (html !== undefined) return html;
  const svg = text("image/svg+xml");
  if (svg !== undefined) return svg;
  for (const mime of ["image/png", "image/jpeg", "image/gif"]) {
    const image = text(mime);
    if (image !== undefined)
      return `<img src="data:${mime};base64,${escapeHtml(image.replace(/\s/g, ""))}" alt="${escapeHtml(data["text/plain"] ?? "")}">`;
  }
  const markdown = text("text/markdown");
  if (markdown !== undefined) return markdownHtml(markdown);
  return `<pre class="text">${ansiHtml(text("text/latex") ?? text("text/plain") ?? "")}</pre>`;
}

/** Runs in the page. */
function drawAll(draw: (id: string, figure: never, tries: number) => void): void {
  const page = globalThis as unknown as {
    document: { querySelectorAll(selector: string): Iterable<{ textContent: string; dataset: { figure: string } }> };
  };
  for (const script of page.document.querySelectorAll("script[data-figure]"))
    draw(script.dataset.figure, JSON.parse(script.textContent) as never, 0);
}
