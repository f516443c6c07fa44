/** One experiment under many settings, each with the same seeds. */
// Written by `npm run gen`.
export * from "./auto-lrs.ts";
export * from "./cells.ts";
export * from "./compare.ts";
export * from "./conform-command.ts";
export * from "./conform.ts";
export * from "./evolution-patterns.ts";
export * from "./expand-axes.ts";
export * from "./giant-formula.ts";
export * from "./many.ts";
export * from "./n2n.ts";
export * from "./plasticity-then-stability.ts";
export * from "./population-based.ts";
export * from "./processes.ts";
export * from "./protocols/index.ts";
export * from "./rate-sensitivity.ts";
export * from "./references.ts";
export * from "./regularized-evolution.ts";
export * from "./search.ts";
export * from "./slurm.ts";
export * from "./sweep.ts";
export * from "./tiny-formula.ts";
export * from "./together.ts";
export * from "./trials.ts";
export * from "./tricks-table.ts";
export * from "./turns-on.ts";
