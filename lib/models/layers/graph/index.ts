/** Layers that join others to more than a chain: residuals, branches, taps. */
// Written by `npm run gen`.
export * from "./alt-up.ts";
export * from "./bidirectional.ts";
export * from "./branch.ts";
export * from "./deq.ts";
export * from "./inputs.ts";
export * from "./read.ts";
export * from "./residual.ts";
export * from "./shared.ts";
export * from "./take.ts";
export * from "./tap.ts";
export * from "./through.ts";
