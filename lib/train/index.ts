/** Training as an async stream of typed events. */
// Written by `npm run gen`.
export * from "./adapt.ts";
export * from "./columns.ts";
export * from "./device.ts";
export * from "./due.ts";
export * from "./evaluate.ts";
export * from "./events.ts";
export * from "./fit.ts";
export * from "./from-json.ts";
export * from "./held.ts";
export * from "./lints.ts";
export * from "./meeting.ts";
export * from "./objective.ts";
export * from "./pass.ts";
export * from "./plan.ts";
export * from "./planner.ts";
export * from "./predicting.ts";
export * from "./probes/index.ts";
export * from "./score.ts";
export * from "./session.ts";
export * from "./spec.ts";
export * from "./stacked.ts";
export * from "./state.ts";
export * from "./step.ts";
export * from "./stepped.ts";
export * from "./widen.ts";
