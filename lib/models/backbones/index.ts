/** Networks that give features, each a function with a few sizes to choose. */
// Written by `npm run gen`.
export * from "./bi-unet.ts";
export * from "./cct.ts";
export * from "./cnn.ts";
export * from "./conv-next.ts";
export * from "./ddsp.ts";
export * from "./dit.ts";
export * from "./gpt.ts";
export * from "./lmu-former.ts";
export * from "./lstm.ts";
export * from "./mixer.ts";
export * from "./mlp.ts";
export * from "./reservoir.ts";
export * from "./resnet.ts";
export * from "./resnet18.ts";
export * from "./sine-net.ts";
export * from "./ssm.ts";
export * from "./terminator.ts";
export * from "./unet.ts";
export * from "./vit.ts";
