/** What a layer is, and how one is declared: one file each in `layers/`, every one a method of `net()`. */
// Written by `npm run gen`.
export * from "./attention/index.ts";
export * from "./audio/index.ts";
export * from "./basic/index.ts";
export * from "./conv/index.ts";
export * from "./diffusion/index.ts";
export * from "./graph/index.ts";
export * from "./moe/index.ts";
export * from "./norm/index.ts";
export * from "./recurrent/index.ts";
export * from "./ssm/index.ts";
