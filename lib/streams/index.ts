/** What a stream is: a lazy, seeded, possibly endless sequence of experiences, and what the learner is told of it. */
// Written by `npm run gen`.
export * from "./audit.ts";
export * from "./from-json.ts";
export * from "./operator.ts";
export * as operators from "./operators/index.ts";
export * as sources from "./sources/index.ts";
export * from "./stream.ts";
