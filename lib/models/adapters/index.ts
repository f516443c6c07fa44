/** Small trained parts that change what a network's layers answer, without changing the network's code; one file each in `adapters/`. */
// Written by `npm run gen`.
export * from "./adapter.ts";
export * from "./bottleneck.ts";
export * from "./ia3.ts";
export * from "./lora.ts";
export * from "./prompt.ts";
export * from "./ssf.ts";
