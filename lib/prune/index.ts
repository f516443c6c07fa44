/** Networks made smaller: functions from a network and data to a network without some of its weights or units. */
// Written by `npm run gen`.
export * from "./admm.ts";
export * from "./depth.ts";
export * from "./dsnot.ts";
export * from "./evolved.ts";
export * from "./low-rank.ts";
export * from "./magnitude.ts";
export * from "./memorised.ts";
export * from "./minitron.ts";
export * from "./pruning.ts";
export * from "./ranks.ts";
export * from "./sparse-gpt.ts";
export * from "./wanda.ts";
