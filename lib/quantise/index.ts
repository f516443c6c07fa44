/** Networks in fewer bits: functions from a network and data to a network of coarser numbers. */
// Written by `npm run gen`.
export * from "./awq.ts";
export * from "./comq.ts";
export * from "./fptq.ts";
export * from "./gptq.ts";
export * from "./layerwise.ts";
export * from "./outliers.ts";
export * from "./quantising.ts";
export * from "./rtn.ts";
export * from "./smooth-quant.ts";
export * from "./ternary.ts";
