// Written by `npm run gen`.
export * from "./dataset.ts";
