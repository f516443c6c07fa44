/** A study: an experiment said step by step. Frozen until a verb runs it. */
// Written by `npm run gen`.
export * from "./phases.ts";
export * from "./sources.ts";
export * from "./stream.ts";
export * from "./study.ts";
