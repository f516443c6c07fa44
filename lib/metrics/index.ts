// Written by `npm run gen`.
export * from "./metric.ts";
