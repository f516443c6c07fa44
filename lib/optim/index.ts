// Written by `npm run gen`.
export * from "./optimizer.ts";
export * from "./optimizers/index.ts";
export * from "./schedules/index.ts";
