/** The part of plotly.js's figure JSON that our figures use and that the SVG writer draws. Names and meanings are plotly's. */

/** A value on an axis: a number, or the name of a category. */
export type Place = number | string;

/** Places and colours of a colour scale, from 0 to 1; or the name of one of ours. */
export type ColorScale = "accuracy" | "difference" | readonly (readonly [number, string])[];

/** Anything a trace may say besides what its type says. */
interface TraceBase {
  readonly name?: string;
  readonly legendgroup?: string;
  readonly showlegend?: boolean;
  readonly opacity?: number;
  readonly xaxis?: string;
  readonly yaxis?: string;
  readonly hoverinfo?: string;
  readonly hovertemplate?: string;
  readonly customdata?: readonly unknown[];
}

export interface Line {
  readonly color?: string;
  readonly width?: number;
  readonly dash?: "solid" | "dot" | "dash" | "dashdot" | "longdash";
  /** `hv`: steps that hold a value until the next point. */
  readonly shape?: "linear" | "hv";
}

export type Symbols = "circle" | "square" | "diamond" | "cross" | "x" | "triangle-up" | "triangle-down" | "line-ns";

export interface Marker {
  readonly color?: string | readonly (string | number)[];
  readonly size?: number | readonly number[];
  readonly symbol?: Symbols;
  readonly opacity?: number;
  readonly colorscale?: ColorScale;
  readonly cmin?: number;
  readonly cmax?: number;
  readonly showscale?: boolean;
  readonly colorbar?: ColorBar;
  readonly line?: { readonly color?: string; readonly width?: number };
}

export interface ErrorBars {
  readonly type?: "data";
  readonly array: readonly number[];
  readonly arrayminus?: readonly number[];
  readonly color?: string;
  readonly thickness?: number;
  readonly width?: number;
}

export interface ColorBar {
  readonly title?: { readonly text: string };
  readonly tickformat?: string;
}

export interface Scatter extends TraceBase {
  readonly type: "scatter";
  readonly x: readonly Place[];
  readonly y: readonly (Place | null)[];
  readonly mode?: "lines" | "markers" | "lines+markers" | "text" | "markers+text";
  readonly line?: Line;
  readonly marker?: Marker;
  readonly fill?: "none" | "toself" | "tozeroy";
  readonly fillcolor?: string;
  readonly error_x?: ErrorBars;
  readonly error_y?: ErrorBars;
  readonly text?: readonly string[];
  readonly textposition?: "top center" | "bottom center" | "middle right" | "middle left" | "middle center";
  readonly connectgaps?: boolean;
}

export interface Bar extends TraceBase {
  readonly type: "bar";
  readonly x: readonly (Place | null)[];
  readonly y: readonly (Place | null)[];
  readonly orientation?: "v" | "h";
  /** Where each bar starts; 0 when left out. */
  readonly base?: readonly number[];
  readonly width?: number | readonly number[];
  readonly marker?: Marker;
  readonly error_y?: ErrorBars;
  readonly error_x?: ErrorBars;
  readonly text?: readonly string[];
  readonly textposition?: "inside" | "outside" | "none" | "auto";
}

export interface Heatmap extends TraceBase {
  readonly type: "heatmap";
  readonly z: readonly (readonly (number | null)[])[];
  readonly x?: readonly Place[];
  readonly y?: readonly Place[];
  readonly text?: readonly (readonly string[])[];
  readonly texttemplate?: "%{text}";
  readonly colorscale?: ColorScale;
  readonly zmin?: number;
  readonly zmax?: number;
  readonly showscale?: boolean;
  readonly colorbar?: ColorBar;
  /** Whether an empty cell answers the pointer. */
  readonly hoverongaps?: boolean;
  readonly xgap?: number;
  readonly ygap?: number;
}

export interface Histogram extends TraceBase {
  readonly type: "histogram";
  readonly x: readonly number[];
  /** Bins are always given, so that every renderer counts alike. */
  readonly xbins: { readonly start: number; readonly end: number; readonly size: number };
  readonly marker?: Marker;
}

export interface Box extends TraceBase {
  readonly type: "box";
  readonly y: readonly number[];
  readonly x?: readonly Place[];
  readonly boxpoints?: "all" | false;
  readonly marker?: Marker;
  readonly line?: Line;
  readonly fillcolor?: string;
}

/** A trace that we draw. */
export type Trace = Scatter | Bar | Heatmap | Histogram | Box;

export interface Axis {
  readonly title?: { readonly text: string };
  readonly type?: "linear" | "log" | "category";
  readonly range?: readonly [number, number];
  readonly autorange?: boolean | "reversed";
  readonly rangemode?: "normal" | "tozero";
  /** Ticks at these values. */
  readonly tickvals?: readonly Place[];
  readonly ticktext?: readonly string[];
  readonly tickformat?: string;
  readonly dtick?: number;
  readonly showticklabels?: boolean;
  readonly showgrid?: boolean;
  readonly zeroline?: boolean;
  readonly visible?: boolean;
  readonly side?: "top" | "bottom" | "left" | "right";
  /** The share of the plot's width or height that the axis spans. */
  readonly domain?: readonly [number, number];
  readonly anchor?: string;
  readonly matches?: string;
  readonly categoryarray?: readonly string[];
  readonly scaleanchor?: string;
  readonly constrain?: "domain";
}

/** A line or rectangle behind the data. `paper` or `y domain` references count from 0 to 1. */
export interface Shape {
  readonly type: "line" | "rect";
  readonly x0: Place;
  readonly x1: Place;
  readonly y0: Place;
  readonly y1: Place;
  readonly xref?: string;
  readonly yref?: string;
  readonly line?: Line;
  readonly fillcolor?: string;
  readonly opacity?: number;
  readonly layer?: "below" | "above";
}

export interface Annotation {
  readonly text: string;
  readonly x: Place;
  readonly y: Place;
  readonly xref?: string;
  readonly yref?: string;
  readonly xanchor?: "left" | "center" | "right";
  readonly yanchor?: "top" | "middle" | "bottom";
  readonly showarrow?: false;
  readonly font?: { readonly size?: number; readonly color?: string };
}

/** Axes beyond the first are `xaxis2`, `yaxis2`, … */
export interface Layout {
  readonly title?: { readonly text: string; readonly subtitle?: { readonly text: string } };
  readonly width?: number;
  readonly height?: number;
  readonly barmode?: "group" | "stack" | "overlay";
  readonly bargap?: number;
  readonly showlegend?: boolean;
  readonly hovermode?: "x unified" | "closest" | false;
  readonly shapes?: readonly Shape[];
  readonly annotations?: readonly Annotation[];
  readonly colorway?: readonly string[];
  readonly [axis: `${"x" | "y"}axis${string}`]: Axis;
}
