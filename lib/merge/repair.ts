import type { Examples } from "../data/dataset.ts";
import { needOneOf, needWhole } from "../data/options.ts";
import { disposeTree } from "../engine/index.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { linksOf, momentsOf, outputsOf } from "./parts/chain.ts";
import { part, vectorOf, withVector } from "./parts/vectors.ts";

/** What `repair` can be told. */
export interface RepairOptions {
  /**
   * What is brought back: "rescale" gives each unit the spread that it has in the references and leaves its mean; "reshift" the mean and leaves
   * the spread; "both" both. Default "rescale".
   */
  readonly renorm?: "rescale" | "reshift" | "both";
  /** Examples that units are measured on, at most; default 256. */
  readonly samples?: number;
}

/**
 * Gives the units of a network that was merged or pruned the statistics that they have in other networks: layer by layer the mean and the
 * spread before the activation are measured, and those of the references, on the mean over them, are put into kernel and bias.
 *
 * The references' units must be in the network's order: the ends of an interpolation after re-basin, or a network before it was pruned.
 *
 * Implements: P215 Rethinking Re-Basin
 *
 * Qu and Horvath 2024, arXiv:2402.05966, section 3 (renormalisation in its parts, rescaling and reshifting) and section 5 (after pruning);
 * the whole is Jordan et al. 2022 (REPAIR), arXiv:2211.08403, eq. 2–3.
 *
 * @example
 * ```ts
 * import { blobs, merge, mlp, network, random, trained } from "thalweg";
 * const model = mlp({ hidden: [4] });
 * const made = (seed: number) => trained({ model, input: [3], weights: network(model, [3]).init(random(seed), 2) });
 * const ends = [made(0), made(1)];
 * merge.repair(merge.average(ends).network, ends, blobs({ classes: 2, dimensions: 3 }).train).parameters; // 26
 * ```
 */
export function repair(
  network: TrainedNetwork,
  references: readonly TrainedNetwork[],
  data: Examples,
  { renorm = "rescale", samples = 256 }: RepairOptions = {},
): TrainedNetwork {
  needOneOf("merge.repair", "renorm", renorm, ["rescale", "reshift", "both"]);
  needWhole("merge.repair", "samples", samples);
  if (references.length === 0) throw new RangeError("merge.repair: at least one reference is required, got none");
  const { places, links } = linksOf("merge.repair", network);
  const wanted = references.map((each) => outputsOf(each, each.weights, data, samples));
  const numbers = vectorOf(network.weights, places);
  for (const { path, kernel, bias, units } of links.slice(0, -1)) {
    if (bias === undefined) throw new TypeError(`merge.repair: layers with a bias are required, got ${path} without`);
    const now = withVector(network.weights, places, numbers);
    const own = momentsOf(outputsOf(network, now, data, samples).get(path)!);
    disposeTree(now);
    const goals = wanted.map((each) => momentsOf(each.get(path)!));
    const mean = (of: "mean" | "deviation", unit: number): number =>
      goals.reduce((sum, goal) => sum + goal[of][unit]!, 0) / goals.length;
    const [matrix, shift] = [part(numbers, kernel), part(numbers, bias)];
    for (let unit = 0; unit < units; unit++) {
      const spread = own.deviation[unit]!;
      const scale = renorm === "reshift" || spread < 1e-6 ? 1 : mean("deviation", unit) / spread;
      const goal = renorm === "rescale" ? own.mean[unit]! : mean("mean", unit);
      for (let at = unit; at < matrix.length; at += units) matrix[at]! *= scale;
      shift[unit] = scale * (shift[unit]! - own.mean[unit]!) + goal;
    }
  }
  const weights = withVector(network.weights, places, numbers);
  try {
    return network.with({ weights });
  } finally {
    disposeTree(weights);
  }
}
