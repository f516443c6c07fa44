/** Small trained parts that change what a network's layers answer, without changing the network's code; one file each in `adapters/`. */
// Written by `npm run gen`.
export * from "./adapter.ts";
export * from "./allora.ts";
export * from "./bottleneck.ts";
export * from "./clr.ts";
export * from "./connected.ts";
export * from "./dora.ts";
export * from "./fourier.ts";
export * from "./hra.ts";
export * from "./ia3.ts";
export * from "./input-tuning.ts";
export * from "./loha.ts";
export * from "./lokr.ts";
export * from "./lora.ts";
export * from "./lotr.ts";
export * from "./mask-lora.ts";
export * from "./mora.ts";
export * from "./norm-tuning.ts";
export * from "./oft.ts";
export * from "./pmss.ts";
export * from "./prefix.ts";
export * from "./prompt-mixture.ts";
export * from "./prompt.ts";
export * from "./quantised-input.ts";
export * from "./ssf.ts";
export * from "./taps.ts";
export * from "./vera.ts";
