// Written by `npm run gen`.
export * from "./progress.ts";
export * from "./run.ts";
