/** Networks that give features, each a function with a few sizes to choose. */
// Written by `npm run gen`.
export * from "./cnn.ts";
export * from "./mlp.ts";
export * from "./resnet18.ts";
