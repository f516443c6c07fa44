// Written by `npm run gen`.
export * from "./blobs.ts";
export * from "./dataset.ts";
export * from "./digits.ts";
export * from "./fashion-mnist.ts";
export * from "./from-arrays.ts";
export * from "./mnist.ts";
export * from "./options.ts";
