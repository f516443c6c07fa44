/** Learning rates as functions of how far a run is. */
// Written by `npm run gen`.
export * from "./constant.ts";
export * from "./cosine.ts";
export * from "./plateau.ts";
