/** Layers that go through a sequence place by place with a state. */
// Written by `npm run gen`.
export * from "./gru.ts";
export * from "./lstm.ts";
