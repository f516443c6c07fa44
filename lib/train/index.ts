// Written by `npm run gen`.
export * from "./events.ts";
