// Written by `npm run gen`.
export * from "./classes.ts";
export * from "./permuted.ts";
export * from "./rotated.ts";
