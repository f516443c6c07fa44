/** What is kept is everything but a few facts, which are written into the network or beside it. */
// Written by `npm run gen`.
export * from "./coach-hook.ts";
export * from "./edit-with.ts";
export * from "./grace.ts";
export * from "./wise.ts";
