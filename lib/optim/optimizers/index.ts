/** Transformations of gradients to steps. */
// Written by `npm run gen`.
export * from "./adagrad-norm.ts";
export * from "./adagrad.ts";
export * from "./adam.ts";
export * from "./sgd.ts";
