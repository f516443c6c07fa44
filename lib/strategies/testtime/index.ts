/** What is kept is changed while it is used: learners that adapt to the unlabelled batch they predict. */
// Written by `npm run gen`.
export * from "./bn-adapt.ts";
export * from "./tent.ts";
