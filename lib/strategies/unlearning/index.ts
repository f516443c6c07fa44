/** What is kept is everything but what was asked to be forgotten. */
// Written by `npm run gen`.
export * from "./gradient-ascent.ts";
export * from "./laf.ts";
export * from "./retrain.ts";
export * from "./s3t.ts";
export * from "./skill-unlearning.ts";
export * from "./ssd.ts";
