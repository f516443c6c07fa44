/** Thalweg: continual learning in TypeScript. Everything a user writes with is here. */
export * from "./data/index.ts";
export * from "./dsl/index.ts";
export * as edit from "./edit/index.ts";
export * from "./engine/index.ts";
export * as expand from "./expand/index.ts";
export * as merge from "./merge/index.ts";
export * from "./metrics/index.ts";
export * from "./models/index.ts";
export * from "./optim/index.ts";
export * from "./plots/index.ts";
export * as prune from "./prune/index.ts";
export * as quantise from "./quantise/index.ts";
export * from "./runs/index.ts";
export * as simulate from "./simulate/index.ts";
export * from "./strategies/index.ts";
export * from "./streams/index.ts";
export * from "./sweeps/index.ts";
export * from "./train/index.ts";
