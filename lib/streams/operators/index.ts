// Written by `npm run gen`.
export * from "./limit.ts";
export * from "./order.ts";
export * from "./scenario.ts";
export * from "./slice.ts";
export * from "./split.ts";
export * from "./validation.ts";
