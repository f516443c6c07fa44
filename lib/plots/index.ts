// Written by `npm run gen`.
export * from "./accuracy-curves.ts";
export * from "./accuracy-heatmap.ts";
export * from "./figure.ts";
export * from "./method-curves.ts";
