/** What is kept is chosen: learners that ask for the labels they want. */
// Written by `npm run gen`.
export * from "./acquire.ts";
export * from "./active-distil.ts";
export * from "./cal.ts";
export * from "./coreset.ts";
