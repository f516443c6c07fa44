import { kMeans } from "../../data/parts/k-means.ts";
import { cloneTree, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { changed, drawLowRank, type LowRank, productsWith } from "../parts/low-rank.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, marked, withAdded } from "../parts/prompts.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

type Changes = { readonly [name: string]: LowRank };
/** What one experience has learnt. A type, so that it is a tree of tensors. */
type Expert = { readonly change: Changes; readonly head: Params };

interface Memory {
  readonly tensors: {
    readonly open?: tf.Tensor;
    readonly experts?: readonly Expert[];
    /** `[centres, features]`, and which expert each belongs to, `[centres, experts]`. */
    readonly centres?: tf.Tensor;
    readonly owner?: tf.Tensor;
  };
}

/**
 * CoLoR: every experience trains a low-rank change of a frozen network and a head of its own; which of them an example gets is told by the
 * nearest cluster of the features that the network had before.
 *
 * Queries and values of attention have `alpha / rank · A B` added. When an experience ends, its examples' features without any change are put
 * into `clusters` clusters; in evaluation the cluster with the nearest centre says whose change and head predict. It is for streams of
 * domains, and works for new classes too: they then compete with those of their own experience alone. Memory grows with the number of
 * experiences, and so does what a prediction costs.
 *
 * Wistuba et al. 2023, "Continual learning with low rank adaptation", arXiv:2311.17601, section 3.
 * Differs from the paper: a head begins as the last one left it; changes begin anew.
 *
 * Implements: P116 CoLoR
 *
 * @example
 * ```ts
 * import { color } from "thalweg";
 * color({ rank: 4, clusters: 5 });
 * ```
 */
export const color = strategy(
  "color",
  {
    /** Rank of each change, and what it is multiplied by, times the rank. */
    rank: 8,
    alpha: 8,
    /** Clusters of each experience. */
    clusters: 5,
  },
  ({ rank, alpha, clusters }) => {
    requireWhole("color", "rank", rank, 1);
    requireNumber("color", "alpha", alpha, 0);
    requireWhole("color", "clusters", clusters, 1);
    const within = (network: Parameters<typeof productsWith>[0], change: Changes) =>
      productsWith(network, (name, rows) => {
        const own = change[name];
        return own === undefined ? null : tf.mul(changed(rows, own), alpha / rank);
      });
    return {
      attention: true,
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, rng }): Params => drawLowRank(network, rng.at(0), rank, ["query", "value"]) as Params,
      init: (): Memory => ({ tensors: {} }),
      beforeExperience({ tensors }: Memory, experience, context) {
        const state = { tensors: { ...tensors, open: openColumns(experience, context) } };
        if (experience.index === 0) return state;
        const fresh = drawLowRank(context.network, context.rng.at(experience.index), rank, ["query", "value"]);
        return { ...state, weights: withAdded(context.weights, "color", fresh as Params), restart: true };
      },
      forward: (_state, pass) => pass.plain(within(pass.network, addedBy<Changes>(pass, "color"))),
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      afterExperience({ tensors }: Memory, { index }, context): Memory {
        const { train } = context.stream.experience(index);
        if (train.length === 0) return { tensors };
        const { added, head } = context.weights;
        const own = { change: added!.color as Changes, head };
        const experts = [...(tensors.experts ?? []), cloneTree(own as Tree) as Expert];
        const width = context.network.width[0]!;
        const rows = context.outputs(train, withoutChange(context.weights)).features;
        const middle = kMeans(rows, width, clusters, context.rng.at("clusters", index));
        const found = tf.tensor2d(middle, [middle.length / width, width]);
        const before = tensors.owner?.arraySync() as number[][] | undefined;
        const owner = [
          ...(before ?? []).map((row) => [...row, 0]),
          ...Array.from({ length: found.shape[0] }, () => experts.map((_, k) => +(k === experts.length - 1))),
        ];
        const centres = tensors.centres === undefined ? found : tf.concat([tensors.centres, found], 0);
        if (centres !== found) found.dispose();
        return { tensors: { ...tensors, experts, centres, owner: tf.tensor2d(owner) } };
      },
      predict({ tensors }, given) {
        if (tensors?.centres === undefined) return given.logits;
        const { experts, centres, owner } = tensors;
        const columns = given.logits.shape[1]!;
        const plain = given.forward(given.x, { weights: withoutChange(given.weights) }).features as tf.Tensor2D;
        const near = tf.sub(
          tf.mul(tf.matMul(plain, centres as tf.Tensor2D, false, true), 2),
          tf.sum(tf.square(centres), 1),
        );
        const which = tf.matMul(marked(tf.argMax(near, 1), centres.shape[0]!) as tf.Tensor2D, owner as tf.Tensor2D);
        const logits = experts!.map(({ change, head }, k) => {
          const weights = { ...withAdded(given.weights, "color", change as Params), head };
          const own = given.forward(given.x, { weights }).logits;
          const wide = tf.pad(own, [
            [0, 0],
            [0, columns - own.shape[1]!],
          ]);
          return tf.mul(wide, tf.slice(which, [0, k], [which.shape[0], 1]));
        });
        return tf.addN(logits);
      },
    };
  },
  ["boundary"],
);

/** Weights with no change at all. */
function withoutChange(weights: Weights): Weights {
  return withAdded(weights, "color", {});
}
