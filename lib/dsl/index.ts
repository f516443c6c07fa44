// Written by `npm run gen`.
export * from "./sources.ts";
export * from "./stream.ts";
export * from "./study.ts";
