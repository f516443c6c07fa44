/** Learning rates as functions of how far a run is. */
// Written by `npm run gen`.
export * from "./constant.ts";
export * from "./cosine-restarts.ts";
export * from "./cosine.ts";
export * from "./exponential.ts";
export * from "./infinite.ts";
export * from "./one-cycle.ts";
export * from "./plateau.ts";
export * from "./power.ts";
export * from "./stepped.ts";
export * from "./warmup.ts";
export * from "./wsd-s.ts";
export * from "./wsd.ts";
