/** Layers of several experts, of which a router chooses. */
// Written by `npm run gen`.
export * from "./factored-moe.ts";
export * from "./gated-units.ts";
export * from "./hash-moe.ts";
export * from "./hierarchical-moe.ts";
export * from "./moe.ts";
export * from "./pre-gate.ts";
export * from "./recurrent-moe.ts";
export * from "./residual-moe.ts";
