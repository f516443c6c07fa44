// Written by `npm run gen`.
export * from "./acquire.ts";
