/** Nothing is kept, or everything: the lower and upper bounds that others are held against. */
// Written by `npm run gen`.
export * from "./cumulative.ts";
export * from "./from-scratch.ts";
export * from "./frozen-backbone.ts";
export * from "./joint.ts";
export * from "./naive.ts";
export * from "./wait.ts";
