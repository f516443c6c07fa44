/** Many machines in one process: clocks, links and what programs do on them, the same for the same seed. */
// Written by `npm run gen`.
export * from "./all-reduce.ts";
export * from "./asynchronous.ts";
export * from "./clients.ts";
export * from "./clock.ts";
export * from "./cluster.ts";
export * from "./codec.ts";
export * from "./diloco.ts";
export * from "./dsp.ts";
export * from "./expert-parallel.ts";
export * from "./fed-async.ts";
export * from "./fed-avg.ts";
export * from "./fed-opt.ts";
export * from "./fed-zip.ts";
export * from "./l-greco.ts";
export * from "./lasp2.ts";
export * from "./local-sgd.ts";
export * from "./low-rank.ts";
export * from "./parameter-server.ts";
export * from "./pipeline.ts";
export * from "./program.ts";
export * from "./quantised.ts";
export * from "./scaffold.ts";
export * from "./sequence-parallel.ts";
export * from "./simulated.ts";
export * from "./tensor-parallel.ts";
export * from "./top-k.ts";
