// Written by `npm run gen`.
export * from "./cnn.ts";
export * from "./mlp.ts";
export * from "./resnet18.ts";
