/** Published tables as data: settings, numbers, conventions, one file for each source. */
// Written by `npm run gen`.
export * from "./avalanche.ts";
export * from "./capymoa.ts";
export * from "./der20.ts";
export * from "./dohare24.ts";
export * from "./gap23.ts";
export * from "./gmv19.ts";
export * from "./hsu18.ts";
export * from "./mirzadeh22.ts";
export * from "./nmi22.ts";
export * from "./pretrained.ts";
export * from "./soutif23.ts";
