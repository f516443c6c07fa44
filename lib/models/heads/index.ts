/** Last layers, from features to the columns of the classes; the stream's scenario says how many there are. */
// Written by `npm run gen`.
export * from "./identity.ts";
export * from "./linear.ts";
export * from "./normalized.ts";
export * from "./tied.ts";
export * from "./towers.ts";
