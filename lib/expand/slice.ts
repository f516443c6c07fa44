import type { Json } from "../data/dataset.ts";
import { subnetOf } from "../models/parts/elastic.ts";
import { tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { wholeOf } from "./parts/sliced.ts";

/** What `slice` keeps. */
export interface SliceOptions {
  /** The share of the first units of each inner layer, or one for each of them; default 1. */
  readonly widths?: number | readonly number[];
  /** How many of the first blocks; default all. */
  readonly depth?: number;
}

/**
 * Cuts a part out of a network: the first units of each inner layer and the first blocks. Nothing is trained.
 *
 * Of a network that `supernet` has trained, every part answers as it did there. Inner layers are the dense layers of transformer blocks, and dense layers and convolutions
 * that a rectifier follows.
 *
 * @throws RangeError for shares outside (0, 1], or more blocks than there are; TypeError for a network of which nothing can be left out.
 *
 * @example
 * ```ts
 * import { expand, mlp, network, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const made = trained({ model, input: [3], weights: network(model, [3]).init(random(0), 2) });
 * expand.slice(made, { widths: 0.5 }).report.parameters; // [50, 26]
 * ```
 */
export function slice(network: TrainedNetwork, { widths = 1, depth }: SliceOptions = {}): Expanded {
  return tidied(() => {
    const { flat, elastic, part } = wholeOf("expand.slice", network);
    const made = part(subnetOf("expand.slice", elastic, widths, depth));
    flat.dispose();
    return expanded("slice", { widths, ...(depth !== undefined && { depth }) } as Json, network, made);
  });
}
