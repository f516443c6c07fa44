// Written by `npm run gen`.
export * from "./adam.ts";
export * from "./sgd.ts";
