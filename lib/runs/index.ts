/** What a run leaves: the event logs of an experiment over seeds, and everything that can be asked of them. */
// Written by `npm run gen`.
export * from "./diff.ts";
export * from "./export-mlflow.ts";
export * from "./export-tensorboard.ts";
export * from "./export-wandb.ts";
export * from "./folder.ts";
export * from "./fork.ts";
export * from "./hugging-face.ts";
export * from "./landscape.ts";
export * from "./load-network.ts";
export * from "./load-weights.ts";
export * from "./name.ts";
export * from "./place.ts";
export * from "./pretrained.ts";
export * from "./progress.ts";
export * from "./record.ts";
export * from "./recorded.ts";
export * from "./run.ts";
export * from "./save-network.ts";
export * from "./sql.ts";
export * from "./store.ts";
export * from "./trained-network.ts";
export * from "./travel.ts";
export * from "./watch-device.ts";
