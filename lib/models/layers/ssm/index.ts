/** Layers that go through a sequence as a linear system with a state. */
// Written by `npm run gen`.
export * from "./delta-net.ts";
export * from "./gla.ts";
export * from "./light-net.ts";
export * from "./linear-attention.ts";
export * from "./mlstm.ts";
export * from "./retention.ts";
