/** What a figure is: plotly.js JSON that shows itself everywhere, interactive where plotly is, as SVG or text where it is not. */
// Written by `npm run gen`.
export * from "./accuracy-curves.ts";
export * from "./accuracy-heatmap.ts";
export * from "./buffer-contents.ts";
export * from "./comparison-bars.ts";
export * from "./confusion-heatmap.ts";
export * from "./device-load.ts";
export * from "./embedding.ts";
export * from "./figure.ts";
export * from "./forgetting-bars.ts";
export * from "./gap-zoom.ts";
export * from "./loss-curves.ts";
export * from "./loss-landscape.ts";
export * from "./machine-timeline.ts";
export * from "./method-curves.ts";
export * from "./optimizer-race.ts";
export * from "./parallel-coordinates.ts";
export * from "./plasticity-panel.ts";
export * from "./rank-diagram.ts";
export * from "./reliability-diagram.ts";
export * from "./run-difference.ts";
export * from "./similarity-heatmap.ts";
export * from "./stream-drift.ts";
export * from "./stream-samples.ts";
export * from "./stream-table.ts";
export * from "./stream-timeline.ts";
export * from "./stream-tree.ts";
