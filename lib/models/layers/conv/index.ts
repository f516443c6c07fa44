/** Layers of images: convolution and pooling. */
// Written by `npm run gen`.
export * from "./conv.ts";
export * from "./pool.ts";
