/** Parts of a plan: how large the batches of a run are, in which order, at which size and in how many views. */
// Written by `npm run gen`.
export * from "./accumulate.ts";
export * from "./cutout.ts";
export * from "./cyclical-curriculum.ts";
export * from "./efficient-train.ts";
export * from "./grow-batch.ts";
export * from "./hard-batches.ts";
export * from "./loss-ranks.ts";
export * from "./multigrid.ts";
export * from "./negative-mining.ts";
export * from "./norm-test.ts";
export * from "./random-subsets.ts";
export * from "./rate-by-batch.ts";
export * from "./resolution.ts";
export * from "./views.ts";
