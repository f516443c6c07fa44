/** What is kept is knowledge of the weights: changes of those that matter, or of what they answer, cost something. */
// Written by `npm run gen`.
export * from "./auto-ema.ts";
export * from "./center-loss.ts";
export * from "./distil-competitive.ts";
export * from "./distil-ensemble.ts";
export * from "./distil-features.ts";
export * from "./distil-local.ts";
export * from "./distil-messages.ts";
export * from "./distil-regions.ts";
export * from "./distil-stored.ts";
export * from "./distil.ts";
export * from "./ewc.ts";
export * from "./l2-anchor.ts";
export * from "./lfl.ts";
export * from "./lwf.ts";
export * from "./mas.ts";
export * from "./merge-after.ts";
export * from "./momentum-interpolation.ts";
export * from "./random-ltd.ts";
export * from "./rwalk.ts";
export * from "./si.ts";
export * from "./spu.ts";
