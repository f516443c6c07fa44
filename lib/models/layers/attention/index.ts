/** Layers in which places of a sequence look at each other, and what puts a sequence into them. */
// Written by `npm run gen`.
export * from "./attention.ts";
export * from "./block-recurrent.ts";
export * from "./block-state.ts";
export * from "./class-token.ts";
export * from "./embedding.ts";
export * from "./feed-forward.ts";
export * from "./hopfield-layer.ts";
export * from "./hopfield-pooling.ts";
export * from "./hopfield.ts";
export * from "./lime.ts";
export * from "./mixing.ts";
export * from "./mudd-output.ts";
export * from "./mudd.ts";
export * from "./patches.ts";
export * from "./positions.ts";
export * from "./recursive.ts";
export * from "./sequence-pool.ts";
export * from "./simplified-attention.ts";
export * from "./transformer.ts";
