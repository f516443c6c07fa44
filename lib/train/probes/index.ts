/** Looks inside a network while it learns: what they measure and when they are taken. */
// Written by `npm run gen`.
export * from "./cadence.ts";
export * from "./gradient-noise.ts";
export * from "./hessian-trace.ts";
export * from "./inside.ts";
export * from "./network-loss.ts";
export * from "./network-probes.ts";
export * from "./opposing-signals.ts";
export * from "./quantities.ts";
export * from "./sharpness.ts";
export * from "./stability.ts";
export * from "./top-eigenvalues.ts";
