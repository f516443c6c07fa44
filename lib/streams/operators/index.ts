// Written by `npm run gen`.
export * from "./blur.ts";
export * from "./few-shot.ts";
export * from "./generalized.ts";
export * from "./gradual.ts";
export * from "./imbalance.ts";
export * from "./limit.ts";
export * from "./online.ts";
export * from "./order.ts";
export * from "./recur.ts";
export * from "./repeat.ts";
export * from "./revisit.ts";
export * from "./scenario.ts";
export * from "./shuffle-tasks.ts";
export * from "./slice.ts";
export * from "./split.ts";
export * from "./validation.ts";
