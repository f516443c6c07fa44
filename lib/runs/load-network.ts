/** Reads a trained network from a folder. */
import { resolve } from "node:path";
import type { Model } from "../models/model.ts";
import { readNetwork } from "../models/parts/network-files.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import type { Strategy } from "../strategies/strategy.ts";
import { networkFromPacked } from "../train/from-json.ts";

/** What `loadNetwork` can be told. */
export interface LoadOptions {
  /** The model, where it has parts of your own that cannot be made of their names. */
  readonly model?: Model;
  /** The strategies that predict, where they are your own. */
  readonly strategies?: readonly Strategy[];
}

/**
 * The network that `saveNetwork` wrote to a folder, bit for bit: it predicts as it did, and `from` begins with it.
 *
 * @throws Error when the folder has no network, a file is cut short, a tensor is missing or of another shape, or the numbers are not those
 * that were saved; TypeError when the model or a strategy that predicts is not the library's own and was not given.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { blobs, classes, from, loadNetwork, mlp, saveNetwork } from "thalweg";
 * const run = await classes(blobs()).learn(mlp({ hidden: [8] })).run({ quiet: true, record: false });
 * const folder = mkdtempSync("/tmp/network-");
 * saveNetwork(await run.network(), folder);
 * const study = classes(blobs()).split(2).learn(from(loadNetwork(folder)));
 * ```
 */
export function loadNetwork(folder: string, { model, strategies }: LoadOptions = {}): TrainedNetwork {
  return networkFromPacked(readNetwork(folder), { file: resolve(folder), model, strategies });
}
