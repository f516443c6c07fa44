// Written by `npm run gen`.
export * from "./linear.ts";
export * from "./normalized.ts";
