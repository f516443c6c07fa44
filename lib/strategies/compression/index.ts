/** What is kept is a small network: numbers become 0, or few bits, while it learns. */
// Written by `npm run gen`.
export * from "./consensus.ts";
export * from "./granet.ts";
export * from "./keep-zeros.ts";
export * from "./layer-thresholds.ts";
export * from "./maestro.ts";
export * from "./pela.ts";
export * from "./reste.ts";
export * from "./st3.ts";
export * from "./stable-rps.ts";
export * from "./ternary.ts";
export * from "./tiny-training.ts";
