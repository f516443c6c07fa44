/** Networks made larger, or their layers shared and put into another order: functions from a network to a network. */
// Written by `npm run gen`.
export * from "./assemble.ts";
export * from "./branches.ts";
export * from "./coalesce.ts";
export * from "./conv-bn.ts";
export * from "./decoalesce.ts";
export * from "./deeper.ts";
export * from "./dependencies.ts";
export * from "./exit.ts";
export * from "./expanded.ts";
export * from "./factorize.ts";
export * from "./fuse.ts";
export * from "./grow.ts";
export * from "./incubate.ts";
export * from "./interpolate.ts";
export * from "./pre-gated.ts";
export * from "./recombine.ts";
export * from "./recursive.ts";
export * from "./reorder.ts";
export * from "./search.ts";
export * from "./slice.ts";
export * from "./speculate.ts";
export * from "./stages.ts";
export * from "./stitch.ts";
export * from "./wider.ts";
