/** What is kept are examples: some of the past, or what stands for them, come again. */
// Written by `npm run gen`.
export * from "./bic.ts";
export * from "./cls-er.ts";
export * from "./continual-pretrain.ts";
export * from "./der.ts";
export * from "./derpp.ts";
export * from "./er-ace.ts";
export * from "./er-aml.ts";
export * from "./fdr.ts";
export * from "./gdumb.ts";
export * from "./generative-replay.ts";
export * from "./gss.ts";
export * from "./hal.ts";
export * from "./hpcr.ts";
export * from "./icarl.ts";
export * from "./lucir.ts";
export * from "./mer.ts";
export * from "./mir.ts";
export * from "./pod-net.ts";
export * from "./power-law-replay.ts";
export * from "./replay.ts";
export * from "./scr.ts";
export * from "./sharp.ts";
export * from "./siesta.ts";
export * from "./wa.ts";
export * from "./xder.ts";
