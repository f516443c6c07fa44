/** What learns: a pure function over a tree of tensors, from a batch of examples to features. */
// Written by `npm run gen`.
export * from "./adapters/index.ts";
export * from "./backbone.ts";
export * from "./backbones/index.ts";
export * from "./composite.ts";
export * from "./concatenated.ts";
export * from "./diagram.ts";
export * from "./filter.ts";
export * from "./from.ts";
export * from "./frozen.ts";
export * from "./hash-tables.ts";
export * from "./headed.ts";
export * from "./heads/index.ts";
export * from "./initial.ts";
export * from "./join-inputs.ts";
export * from "./layer.ts";
export * as layers from "./layers/index.ts";
export * from "./layers-model.ts";
export * from "./merged.ts";
export * from "./model.ts";
export * from "./net.ts";
export * from "./network.ts";
export * from "./parameters.ts";
export * from "./refilled.ts";
export * from "./sequential.ts";
export * from "./stepping.ts";
export * from "./trained.ts";
export * from "./verbs.ts";
