/** What is kept is changed while it is used: learners that adapt to the unlabelled batch they predict. */
// Written by `npm run gen`.
export * from "./bn-adapt.ts";
export * from "./cotta.ts";
export * from "./csfa.ts";
export * from "./dynamic-evaluation.ts";
export * from "./eata.ts";
export * from "./ecotta.ts";
export * from "./error-memory.ts";
export * from "./lame.ts";
export * from "./memo.ts";
export * from "./meta-dmoe.ts";
export * from "./rmt.ts";
export * from "./rna.ts";
export * from "./roid.ts";
export * from "./rotta.ts";
export * from "./sar.ts";
export * from "./temp-lora.ts";
export * from "./tent.ts";
