// Written by `npm run gen`.
export * from "./progress.ts";
export * from "./record.ts";
export * from "./recorded.ts";
export * from "./run.ts";
