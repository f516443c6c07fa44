// Written by `npm run gen`.
export * from "./accuracy-matrix.ts";
export * from "./average-accuracy.ts";
export * from "./average-incremental-accuracy.ts";
export * from "./bwt.ts";
export * from "./comparison-table.ts";
export * from "./forgetting.ts";
export * from "./frame.ts";
export * from "./fwt.ts";
export * from "./metric.ts";
export * from "./statistics.ts";
