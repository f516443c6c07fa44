// Written by `npm run gen`.
export * from "./der20.ts";
export * from "./nmi22.ts";
