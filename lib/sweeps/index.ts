// Written by `npm run gen`.
export * from "./cells.ts";
export * from "./compare.ts";
export * from "./many.ts";
export * from "./processes.ts";
