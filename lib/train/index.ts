// Written by `npm run gen`.
export * from "./columns.ts";
export * from "./due.ts";
export * from "./evaluate.ts";
export * from "./events.ts";
export * from "./fit.ts";
export * from "./held.ts";
export * from "./pass.ts";
export * from "./plan.ts";
export * from "./session.ts";
export * from "./spec.ts";
export * from "./stacked.ts";
export * from "./step.ts";
export * from "./stepped.ts";
export * from "./widen.ts";
