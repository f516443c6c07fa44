/** Many machines in one process: clocks, links and what programs do on them, the same for the same seed. */
// Written by `npm run gen`.
export * from "./all-reduce.ts";
export * from "./asynchronous.ts";
export * from "./clock.ts";
export * from "./cluster.ts";
export * from "./codec.ts";
export * from "./diloco.ts";
export * from "./local-sgd.ts";
export * from "./parameter-server.ts";
export * from "./program.ts";
export * from "./quantised.ts";
export * from "./simulated.ts";
export * from "./top-k.ts";
