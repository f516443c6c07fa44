/** Layers of denoisers: what tells them the time and the class, and what is changed by it. */
// Written by `npm run gen`.
export * from "./conditions.ts";
export * from "./dit-block.ts";
export * from "./modulate.ts";
export * from "./unpatch.ts";
