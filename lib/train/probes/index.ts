// Written by `npm run gen`.
export * from "./cadence.ts";
