/**
 * Plotly figures, made visible everywhere from one bundle. A frontend that knows plotly's MIME type uses it; the others get HTML that
 * shows the SVG at once and turns into the interactive figure where plotly.js is on the page. plotly.js itself is sent once.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { escapeHtml, scriptJson } from "../html.ts";
import type { Bundle, Content, Message } from "../messages.ts";

export const plotlyMime = "application/vnd.plotly.v1+json";

export interface Figure {
  data: unknown[];
  layout?: Record<string, unknown>;
  config?: Record<string, unknown>;
}

/** Marks the output that carries plotly.js, so that a converter can leave it out. */
export const scriptMark = { thalweg: "plotly.js" };

let source: string | undefined;

/** plotly.js (the cartesian bundle, 1.5 MB) as one statement that leaves no trace but `window.Plotly`. */
export function plotlyScript(): string {
  source ??= readFileSync(
    createRequire(import.meta.url).resolve("plotly.js-cartesian-dist-min/plotly-cartesian.min.js"),
    "utf8",
  ).replace(/<(?=\/script|!--)/gi, "\\x3c");
  // A page with an AMD or CommonJS loader (classic Notebook, VS Code) would swallow the bundle: hide the loaders from it.
  return `(function (module, exports, define) { if (!window.Plotly) {\n${source}\n} }).call(window);`;
}

/** Remembers which output carried plotly.js; one per session. */
export function figures() {
  let carrier: { cell: string | undefined; request: string | undefined } | undefined;
  return {
    /** The bundle with its HTML, and the output that must come before it, when it must. */
    enrich(bundle: Bundle, parent?: Message): { bundle: Bundle; script?: { data: Bundle; metadata: Content } } {
      const figure = figureOf(bundle);
      if (!figure) return { bundle };
      const enriched = {
        ...bundle,
        "text/html": figureHtml(figure, bundle),
        "text/plain": bundle["text/plain"] ?? "[figure]",
      };
      const cell = (parent?.metadata as { cellId?: string } | undefined)?.cellId;
      const request = parent?.header.msg_id;
      // Running that cell anew removes its outputs from the notebook, plotly.js among them.
      const lost = carrier?.cell !== undefined && carrier.cell === cell && carrier.request !== request;
      if (carrier && !lost) return { bundle: enriched };
      carrier = { cell, request };
      return {
        bundle: enriched,
        script: { data: { "text/html": `<script>${plotlyScript()}</script>`, "text/plain": "" }, metadata: scriptMark },
      };
    },
  };
}

export function figureOf(bundle: Bundle): Figure | undefined {
  const figure = bundle[plotlyMime];
  return typeof figure === "object" && figure !== null && Array.isArray((figure as Figure).data)
    ? (figure as Figure)
    : undefined;
}

/** The picture that stands until (or unless) the interactive figure takes its place. */
export function staticHtml(bundle: Bundle): string {
  const svg = bundle["image/svg+xml"];
  if (typeof svg === "string") return svg;
  const png = bundle["image/png"];
  if (typeof png === "string") return `<img src="data:image/png;base64,${escapeHtml(png)}" alt="figure">`;
  return `<pre>${escapeHtml(bundle["text/plain"] ?? "")}</pre>`;
}

function figureHtml(figure: Figure, bundle: Bundle): string {
  const id = `figure-${randomUUID()}`;
  return `<div id="${id}" style="position:relative">${staticHtml(bundle)}</div><script>(${activate.toString()})(${scriptJson(id)}, ${scriptJson({ data: figure.data, layout: figure.layout ?? {}, config: figure.config ?? {} })});</script>`;
}

/**
 * Runs in the page; its source is put into every figure. It waits a moment, so that a live figure that is replaced ten times a second
 * is only drawn as SVG, and then swaps the picture for the interactive figure.
 */
export function activate(id: string, figure: Figure, tries = 0): void {
  setTimeout(
    () => {
      const page = globalThis as unknown as {
        document: PageDocument;
        Plotly?: { newPlot(...args: unknown[]): Promise<unknown> };
      };
      const box = page.document.getElementById(id);
      if (!box) return;
      // plotly.js may be in an output that the page has not reached yet.
      if (!page.Plotly) return tries < 100 ? activate(id, figure, tries + 1) : undefined;
      const plot = page.document.createElement("div");
      const width = (figure.layout?.width as number | undefined) ?? (box.clientWidth || 700);
      plot.style.cssText = `position:absolute;left:-10000px;width:${width}px`;
      box.appendChild(plot);
      void page.Plotly.newPlot(plot, figure.data, figure.layout, {
        responsive: true,
        displaylogo: false,
        ...figure.config,
      }).then(() => {
        while (box.firstChild !== plot) box.removeChild(box.firstChild!);
        plot.style.cssText = figure.layout?.width === undefined ? "width:100%" : "";
        box.setAttribute("data-interactive", "true");
      });
    },
    tries === 0 ? 250 : 300,
  );
}

/** The little of the DOM that `activate` needs; the kernel is compiled without the browser's types. */
interface PageElement {
  clientWidth: number;
  firstChild: PageElement | null;
  style: { cssText: string };
  appendChild(child: PageElement): void;
  removeChild(child: PageElement): void;
  setAttribute(name: string, value: string): void;
}
interface PageDocument {
  getElementById(id: string): PageElement | null;
  createElement(tag: string): PageElement;
}
