/** Facts changed in a network: functions from a network and facts to a network. */
// Written by `npm run gen`.
export * from "./alpha-edit.ts";
export * from "./editing.ts";
export * from "./encore.ts";
export * from "./fine-tune.ts";
export * from "./memit.ts";
export * from "./rome.ts";
