/** How weights move: a transformation of gradients with explicit state, and schedules for its rate. */
// Written by `npm run gen`.
export * from "./batching/index.ts";
export * from "./batching.ts";
export * from "./chain.ts";
export * from "./from-json.ts";
export * from "./groups.ts";
export * from "./listening.ts";
export * from "./only.ts";
export * from "./optimizer.ts";
export * from "./optimizers/index.ts";
export * from "./schedules/index.ts";
export * from "./task-relevance.ts";
export * from "./transformation.ts";
export * from "./transformations/index.ts";
export * from "./wrappers/index.ts";
