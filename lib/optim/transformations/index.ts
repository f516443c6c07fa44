/** Parts of chains: what changes the direction of a step before the rate. */
// Written by `npm run gen`.
export * from "./clip.ts";
export * from "./perp-grad.ts";
export * from "./scale.ts";
export * from "./trust-ratio.ts";
export * from "./weight-decay.ts";
