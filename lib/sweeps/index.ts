// Written by `npm run gen`.
export * from "./compare.ts";
export * from "./many.ts";
