/** Layers that go through a sequence as a linear system with a state. */
// Written by `npm run gen`.
export * from "./ckconv.ts";
export * from "./delta-net.ts";
export * from "./dynamical-system.ts";
export * from "./gate-loop.ts";
export * from "./gla.ts";
export * from "./hippo.ts";
export * from "./lattice.ts";
export * from "./light-net.ts";
export * from "./linear-attention.ts";
export * from "./linear-cde.ts";
export * from "./lmu.ts";
export * from "./longhorn.ts";
export * from "./lru.ts";
export * from "./lssl.ts";
export * from "./mamba.ts";
export * from "./mlstm.ts";
export * from "./multires.ts";
export * from "./neural-memory.ts";
export * from "./retention.ts";
export * from "./s4.ts";
export * from "./s4d.ts";
export * from "./s5.ts";
export * from "./smr.ts";
export * from "./tcnca.ts";
export * from "./ttt.ts";
