/** Several networks made one: functions from networks to a network. */
// Written by `npm run gen`.
export * from "./ada.ts";
export * from "./average.ts";
export * from "./breadcrumbs.ts";
export * from "./dare.ts";
export * from "./emulate.ts";
export * from "./fisher.ts";
export * from "./lines.ts";
export * from "./mag-max.ts";
export * from "./merging.ts";
export * from "./model-stock.ts";
export * from "./opcm.ts";
export * from "./pcb.ts";
export * from "./rebasin.ts";
export * from "./regmean.ts";
export * from "./repair.ts";
export * from "./slerp.ts";
export * from "./task-arithmetic.ts";
export * from "./ties.ts";
export * from "./twin.ts";
