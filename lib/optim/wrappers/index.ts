/** Optimizers of an optimizer: what they do with its steps, or with the gradient it is given. */
// Written by `npm run gen`.
export * from "./ema.ts";
export * from "./lookahead.ts";
export * from "./sam.ts";
export * from "./swa.ts";
