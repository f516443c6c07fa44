/** Layers that bring numbers to a common scale. */
// Written by `npm run gen`.
export * from "./batch-channel-norm.ts";
export * from "./batch-norm.ts";
export * from "./elementwise-norm.ts";
export * from "./group-norm.ts";
export * from "./layer-norm.ts";
export * from "./layer-scale.ts";
export * from "./normalise.ts";
export * from "./progressive-norm.ts";
export * from "./rms-norm.ts";
