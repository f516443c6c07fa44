/** What is kept are parts of the network: each task has units, masks or columns of its own. */
// Written by `npm run gen`.
export * from "./apollo.ts";
export * from "./depth-adaptive.ts";
export * from "./der-expand.ts";
export * from "./dynamic-layers.ts";
export * from "./foster.ts";
export * from "./hat.ts";
export * from "./layer-skip.ts";
export * from "./mind-skip.ts";
export * from "./packnet.ts";
export * from "./pnn.ts";
export * from "./self-distil.ts";
export * from "./separate-networks.ts";
export * from "./ssre.ts";
export * from "./supernet.ts";
export * from "./tie-layers.ts";
export * from "./wsn.ts";
export * from "./xdg.ts";
