// Written by `npm run gen`.
export * from "./batch-norm.ts";
export * from "./conv.ts";
export * from "./dense.ts";
export * from "./dropout.ts";
export * from "./embedding.ts";
export * from "./flatten.ts";
export * from "./gru.ts";
export * from "./last.ts";
export * from "./layer-norm.ts";
export * from "./normalise.ts";
export * from "./pool.ts";
export * from "./relu.ts";
export * from "./tanh.ts";
export * from "./transformer.ts";
