/** How a learner keeps what it knows: one declaration per method, hooks over explicit state. */
// Written by `npm run gen`.
export * from "./acquisition/index.ts";
export * from "./adapters/index.ts";
export * from "./architecture/index.ts";
export * from "./baselines/index.ts";
export * from "./compression/index.ts";
export * from "./editing/index.ts";
export * from "./objectives/index.ts";
export * from "./plasticity/index.ts";
export * from "./projection/index.ts";
export * from "./prototypes/index.ts";
export * from "./regularisation/index.ts";
export * from "./replay/index.ts";
export * from "./strategy.ts";
export * from "./testtime/index.ts";
export * from "./unlearning/index.ts";
