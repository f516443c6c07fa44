/** What is kept are statistics of features: classifiers in closed form over them. */
// Written by `npm run gen`.
export * from "./acil.ts";
export * from "./aper.ts";
export * from "./bag-of-tricks.ts";
export * from "./fecam.ts";
export * from "./fetril.ts";
export * from "./kalman.ts";
export * from "./limit.ts";
export * from "./mamba-fscil.ts";
export * from "./nearest-mean.ts";
export * from "./ranpac.ts";
export * from "./ridge.ts";
export * from "./simple-cil.ts";
export * from "./slca.ts";
export * from "./slda.ts";
