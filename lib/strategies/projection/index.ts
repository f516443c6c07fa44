/** What is kept are directions: steps go where they do not disturb what past tasks need. */
// Written by `npm run gen`.
export * from "./agem.ts";
export * from "./cuber.ts";
export * from "./gem.ts";
export * from "./gpm.ts";
export * from "./ogd.ts";
export * from "./owm.ts";
export * from "./plwf.ts";
