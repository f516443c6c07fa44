// Written by `npm run gen`.
export * from "./cumulative.ts";
export * from "./from-scratch.ts";
export * from "./frozen-backbone.ts";
export * from "./joint.ts";
export * from "./naive.ts";
