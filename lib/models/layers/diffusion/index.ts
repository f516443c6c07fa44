/** Layers of denoisers: what tells them the time and the class, and what is changed by it. */
// Written by `npm run gen`.
export * from "./coarse.ts";
export * from "./conditions.ts";
export * from "./consistent-down.ts";
export * from "./consistent-up.ts";
export * from "./dit-block.ts";
export * from "./modulate.ts";
export * from "./shuffle-fusion.ts";
export * from "./unpatch.ts";
