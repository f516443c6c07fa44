// Written by `npm run gen`.
export * from "./cumulative.ts";
export * from "./der.ts";
export * from "./derpp.ts";
export * from "./ewc.ts";
export * from "./joint.ts";
export * from "./naive.ts";
export * from "./nearest-mean.ts";
export * from "./replay.ts";
export * from "./strategy.ts";
