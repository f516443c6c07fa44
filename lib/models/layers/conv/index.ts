/** Layers of images: convolution and pooling. */
// Written by `npm run gen`.
export * from "./binary-conv.ts";
export * from "./causal-conv.ts";
export * from "./conv-bn.ts";
export * from "./conv.ts";
export * from "./depthwise-conv.ts";
export * from "./global-pool.ts";
export * from "./hyper-zzw.ts";
export * from "./kan-conv.ts";
export * from "./multigrid.ts";
export * from "./pool.ts";
export * from "./recursive-decoder.ts";
export * from "./recursive-encoder.ts";
export * from "./template-conv.ts";
export * from "./upsample.ts";
