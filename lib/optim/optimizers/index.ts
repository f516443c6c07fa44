/** Transformations of gradients to steps. */
// Written by `npm run gen`.
export * from "./adadelta.ts";
export * from "./adafactor.ts";
export * from "./adagrad-norm.ts";
export * from "./adagrad.ts";
export * from "./adam.ts";
export * from "./adamax.ts";
export * from "./adamw.ts";
export * from "./kfac.ts";
export * from "./lamb.ts";
export * from "./lars.ts";
export * from "./lion.ts";
export * from "./muon.ts";
export * from "./nadam.ts";
export * from "./radam.ts";
export * from "./rmsprop.ts";
export * from "./schedule-free-adam.ts";
export * from "./schedule-free-sgd.ts";
export * from "./sgd.ts";
export * from "./shampoo.ts";
export * from "./soap.ts";
export * from "./sophia.ts";
