/** What is kept is the ability to learn: units and weights that have gone stiff begin anew. */
// Written by `npm run gen`.
export * from "./continual-backprop.ts";
export * from "./evolved-start.ts";
export * from "./hedge.ts";
export * from "./l2-init.ts";
export * from "./shrink-and-perturb.ts";
export * from "./upgd.ts";
