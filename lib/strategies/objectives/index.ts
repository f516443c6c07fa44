/** What is kept was learnt without a label: views that agree, parts that are restored. */
// Written by `npm run gen`.
export * from "./autoencoder.ts";
export * from "./batch-former.ts";
export * from "./diffusion.ts";
export * from "./distil-retrieval.ts";
export * from "./distribution-matching.ts";
export * from "./elastic-pretrain.ts";
export * from "./focal.ts";
export * from "./forward-forward.ts";
export * from "./future-teacher.ts";
export * from "./in-batch-negatives.ts";
export * from "./instant-update.ts";
export * from "./perceptron.ts";
export * from "./simsiam.ts";
export * from "./ska.ts";
export * from "./stable-max.ts";
export * from "./unrolled-denoise.ts";
export * from "./view-batch.ts";
export * from "./z-loss.ts";
