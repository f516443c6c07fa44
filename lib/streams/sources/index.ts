/** Where streams begin: functions from data sets, or from nothing, to a stream. */
// Written by `npm run gen`.
export * from "./agrawal.ts";
export * from "./classes.ts";
export * from "./clients.ts";
export * from "./datasets.ts";
export * from "./domains.ts";
export * from "./edits.ts";
export * from "./episodes.ts";
export * from "./hierarchy.ts";
export * from "./hyperplane.ts";
export * from "./instances.ts";
export * from "./label-permuted.ts";
export * from "./megabatches.ts";
export * from "./permuted.ts";
export * from "./procedural.ts";
export * from "./regression.ts";
export * from "./revolving.ts";
export * from "./rotated.ts";
export * from "./sea.ts";
export * from "./sequence.ts";
export * from "./sines.ts";
