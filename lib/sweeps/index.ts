// Written by `npm run gen`.
export * from "./many.ts";
