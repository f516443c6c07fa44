/** What is kept are small parts beside a frozen network: prompts, low-rank changes, bottlenecks. */
// Written by `npm run gen`.
export * from "./ada-lora.ts";
export * from "./apg.ts";
export * from "./coda-prompt.ts";
export * from "./color.ts";
export * from "./dual-prompt.ts";
export * from "./ease.ts";
export * from "./ela-lora.ts";
export * from "./fish-mask.ts";
export * from "./incremental-rank.ts";
export * from "./inf-lora.ts";
export * from "./key-value-bottleneck.ts";
export * from "./l2p.ts";
export * from "./ln-tuning.ts";
export * from "./lora-merge.ts";
export * from "./mos.ts";
export * from "./multi-lane.ts";
export * from "./pmoe.ts";
export * from "./prompt-chain.ts";
export * from "./sara.ts";
export * from "./sca-learn.ts";
export * from "./sd-lora.ts";
export * from "./task-adapters.ts";
