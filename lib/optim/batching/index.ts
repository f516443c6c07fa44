/** Parts of a plan: how large the batches of a run are, in which order, at which size and in how many views. */
// Written by `npm run gen`.
export * from "./accumulate.ts";
export * from "./grow-batch.ts";
