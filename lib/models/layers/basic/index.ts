/** Layers that act on one vector, or change its form: dense, dropout, rectifiers, flatten. */
// Written by `npm run gen`.
export * from "./dense.ts";
export * from "./dropout.ts";
export * from "./first.ts";
export * from "./flatten.ts";
export * from "./gelu.ts";
export * from "./kan.ts";
export * from "./last.ts";
export * from "./leaky-relu.ts";
export * from "./permute.ts";
export * from "./pick.ts";
export * from "./relu.ts";
export * from "./reshape.ts";
export * from "./reverse.ts";
export * from "./sigmoid.ts";
export * from "./silu.ts";
export * from "./snnk.ts";
export * from "./softmax.ts";
export * from "./structured.ts";
export * from "./tanh.ts";
export * from "./template-dense.ts";
