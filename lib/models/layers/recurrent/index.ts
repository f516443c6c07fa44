// Written by `npm run gen`.
export * from "./gru.ts";
