// Written by `npm run gen`.
export * from "./constant.ts";
export * from "./cosine.ts";
