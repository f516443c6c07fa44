// Written by `npm run gen`.
export * from "./stream.ts";
