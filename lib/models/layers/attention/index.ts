// Written by `npm run gen`.
export * from "./embedding.ts";
export * from "./transformer.ts";
