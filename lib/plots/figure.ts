/** What a figure is: plotly.js JSON that shows itself everywhere, interactive where plotly is, as SVG or text where it is not. */
import { writeFileSync } from "node:fs";
import { extname } from "node:path";
import { colourAt, neutral, palette, stopsOf } from "./parts/colour.ts";
import { legendEntries, legendHeight } from "./parts/legend.ts";
import type { Axis, Layout, Trace } from "./parts/plotly.ts";
import { requireSound } from "./parts/sound.ts";
import { headingsHeight, svgOf } from "./parts/svg.ts";
import { textOf } from "./parts/terminal.ts";

export type { Layout, Trace } from "./parts/plotly.ts";

/** A picture of results. `data` and `layout` are plotly.js figure JSON, deeply frozen. */
export interface Figure {
  readonly data: readonly Trace[];
  readonly layout: Layout;
  /** The figure as a picture without scripts, light or dark as the page is. */
  toSVG(): string;
  /** The figure in characters, for a terminal. */
  toText(): string;
  /** The plotly.js JSON. */
  toJSON(): { readonly data: readonly Trace[]; readonly layout: Layout };
  /** Writes the figure to a file: `.svg`, `.html` (the picture alone, no scripts) or `.json` (plotly.js). */
  save(path: string): void;
}

const displayKey = Symbol.for("Jupyter.display");

/**
 * Makes a figure of plotly.js traces and a layout.
 *
 * Traces without a colour take the next of the palette; named colour scales become plotly's; the layout gets the look that all
 * figures share, under what it says itself. Only trace types that are also drawn as SVG and text are accepted: `scatter`, `bar`,
 * `heatmap`, `histogram`, `box`.
 *
 * @example
 * ```ts
 * import { figure } from "thalweg";
 * const loss = figure({
 *   data: [{ type: "scatter", x: [1, 2, 3], y: [2.3, 1.1, 0.7], name: "loss" }],
 *   layout: { title: { text: "Loss" }, xaxis: { title: { text: "step" } }, yaxis: { title: { text: "cross-entropy (nats)" } } },
 * });
 * loss.toSVG().startsWith("<svg"); // true
 * ```
 */
export function figure({ data, layout = {} }: { readonly data: readonly Trace[]; readonly layout?: Layout }): Figure {
  for (const { type } of data as readonly { type: string }[]) {
    if (!["scatter", "bar", "heatmap", "histogram", "box"].includes(type)) {
      throw new TypeError(
        `figure: a trace of type scatter, bar, heatmap, histogram or box is required, got ${type}; say it with one of these`,
      );
    }
  }
  requireSound([data, layout]);
  const plotted = frozen(data.map((trace, index) => explicit(trace, index)));
  const laid = frozen(withLook(layout, plotted));
  const made: Figure = {
    data: plotted,
    layout: laid,
    toSVG: () => svgOf(plotted, laid),
    toText: () => textOf(plotted, laid),
    toJSON: () => ({ data: plotted, layout: laid }),
    save: (path) => writeFileSync(path, contentFor(made, path)),
  };
  const hidden = {
    [displayKey]: (): Record<string, unknown> => ({
      "application/vnd.plotly.v1+json": made.toJSON(),
      "image/svg+xml": made.toSVG(),
      "text/plain": made.toText(),
    }),
    [Symbol.for("nodejs.util.inspect.custom")]: (): string => made.toText(),
  };
  for (const key of Object.getOwnPropertySymbols(hidden)) {
    Object.defineProperty(made, key, { value: hidden[key as keyof typeof hidden], enumerable: false });
  }
  return Object.freeze(made);
}

/** A trace with every colour said, so that plotly and our own pictures agree. */
function explicit(trace: Trace, index: number): Trace {
  const colour = colourAt(index);
  if (trace.type === "heatmap") return { ...trace, colorscale: stopsOf(trace.colorscale ?? "accuracy") };
  const scaled = trace.marker?.colorscale;
  const marker = { color: colour, ...trace.marker, ...(scaled === undefined ? {} : { colorscale: stopsOf(scaled) }) };
  if (trace.type === "bar" || trace.type === "histogram") return { ...trace, marker };
  const own = trace.line?.color ?? (typeof trace.marker?.color === "string" ? trace.marker.color : colour);
  const line = { color: own, ...trace.line };
  if (trace.type === "box") return { ...trace, marker: { ...marker, color: trace.marker?.color ?? own }, line };
  const mode = trace.mode ?? "lines";
  return {
    ...trace,
    mode,
    ...(mode.includes("markers") ? { marker: { ...marker, color: trace.marker?.color ?? own } } : {}),
    ...(mode.includes("lines") || trace.fill !== undefined ? { line } : {}),
  };
}

const grid = "rgba(128,136,148,0.22)";

/** The look all figures share: no background of its own in plotly, greys that read on light and dark. */
function withLook(layout: Layout, data: readonly Trace[]): Layout {
  const axes = new Set(["xaxis", "yaxis"]);
  for (const trace of data) {
    for (const [letter, id] of Object.entries({ x: trace.xaxis, y: trace.yaxis })) {
      if (id !== undefined) axes.add(`${letter}axis${id.slice(1)}`);
    }
  }
  const look = {
    height: 360,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: neutral, size: 12 },
    colorway: palette,
    ...(legendEntries(layout.showlegend === false ? [] : data, layout).length > 0
      ? { legend: legendPlace(layout, data) }
      : {}),
    margin: { t: roomAbove(layout, data), r: 24, b: 52, l: 64 },
  };
  const place = {
    x: 0,
    xref: "paper",
    xanchor: "left",
    y: 1,
    yref: "container",
    yanchor: "top",
    pad: { t: 16 },
    font: { size: 17 },
  };
  const title = layout.title === undefined ? {} : { title: { ...place, ...layout.title } };
  const styled = [...axes].map((name): [string, Axis] => {
    const base = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, automargin: true };
    return [name, { ...base, ...layout[name as "xaxis"] }];
  });
  return { ...look, ...layout, ...title, ...Object.fromEntries(styled) } as Layout;
}

/** The legend in plotly: a row above the plot and above the headings of its panels. */
function legendPlace(layout: Layout, data: readonly Trace[]): object {
  const plot = (layout.height ?? 360) - roomAbove(layout, data) - 52;
  return { orientation: "h", x: 0, xanchor: "left", y: 1.02 + headingsHeight(layout) / plot, yanchor: "bottom" };
}

/** The pixels above the plot in plotly: title, subtitle, the legend's rows on a usual page, headings of panels, an axis at the top. */
function roomAbove(layout: Layout, data: readonly Trace[]): number {
  const heading = layout.title === undefined ? 12 : layout.title.subtitle === undefined ? 44 : 68;
  const axis = layout.xaxis?.side === "top" ? 58 : 0;
  const legend = legendHeight(legendEntries(data, layout), 640);
  return heading + axis + (legend === 0 ? 8 : legend + 14) + headingsHeight(layout);
}

function contentFor(made: Figure, path: string): string {
  const extension = extname(path);
  if (extension === ".svg") return `${made.toSVG()}\n`;
  if (extension === ".json") return `${JSON.stringify(made)}\n`;
  if (extension === ".html") {
    return `<!doctype html>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">\n${made.toSVG()}\n`;
  }
  throw new Error(`save: a file name that ends in .svg, .html or .json is required, got ${path}; name one of these`);
}

/** A frozen copy, typed arrays as plain ones: the caller's arrays stay the caller's. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return Object.freeze(Array.from(value as unknown as ArrayLike<number>)) as T;
  if (Array.isArray(value)) return Object.freeze(value.map(frozen)) as T;
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, frozen(inner)]))) as T;
}
