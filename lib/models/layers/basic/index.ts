/** Layers that act on one vector, or change its form: dense, dropout, rectifiers, flatten. */
// Written by `npm run gen`.
export * from "./dense.ts";
export * from "./dropout.ts";
export * from "./flatten.ts";
export * from "./last.ts";
export * from "./relu.ts";
export * from "./tanh.ts";
