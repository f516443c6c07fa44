import { type CosinePrototypes, cosineScores, withRows } from "../parts/cosine-prototypes.ts";
import { strategy } from "../strategy.ts";

type Memory = Partial<CosinePrototypes>;

/**
 * SimpleCIL: nothing is trained; an example gets the class whose mean features have the largest cosine with its own.
 *
 * The features are those of the network as it begins, which should be a trained one:
 * `stream.learn(from(pretrained("vit-small"))).by(simpleCil())`. Exact in one pass, in any order.
 *
 * Zhou et al. 2023, arXiv:2303.07338, eq. 4. Differs from the paper: none known.
 *
 * @example
 * ```ts
 * import { simpleCil } from "thalweg";
 * simpleCil().spec.name; // "simpleCil"
 * ```
 */
export const simpleCil = strategy("simpleCil", {}, () => ({
  classes: true,
  tokens: "it knows one vector for each example, and a sequence has one at each place",
  init: (): Memory => ({}),
  learn({ sums, counts }: Memory, { train }, context): Memory {
    const before = sums === undefined ? null : { sums, counts: counts! };
    return withRows(before, context.outputs(train).features, train.labels, context.columns);
  },
  rowwise: true,
  predict: ({ tensors }, { features, logits }) =>
    tensors === undefined ? logits : cosineScores(features, tensors, logits.shape[1]!),
}));
