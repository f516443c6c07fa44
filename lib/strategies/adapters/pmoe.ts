import { cloneTree, type Tree, tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import type { Network } from "../../models/network.ts";
import { blocksOf } from "../parts/blocks.ts";
import { changed, drawLowRank, type LowRank, type ProductName, productsWith } from "../parts/low-rank.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, withAdded } from "../parts/prompts.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

type Changes = { readonly [name: ProductName]: LowRank };
/**
 * What all experiences train in the shallow blocks, the expert of this one in the deep blocks, and the router, `[width, experiences]`. A type, so that it
 * is a tree of tensors.
 */
type Own = { readonly shared: Changes; readonly expert: Changes; readonly router: tf.Tensor };

interface Memory {
  readonly tensors: {
    readonly open?: tf.Tensor;
    /** The experts of experiences before, which are trained no more. */
    readonly past?: readonly Changes[];
  };
}

/**
 * PMoE: the shallow blocks of a frozen transformer have one low-rank change that all experiences go on training, the deep blocks an expert for each
 * experience, and a router between the two gives every place of a sequence its share of each expert.
 *
 * An expert is a low-rank change of the products of attention in all deep blocks. The router sees what comes into the first of them, h: the experts so
 * far have the shares `softmax(h R)`, and a product has `Σ_e share_e (x A_e B_e)` added. Experts of the past stay as they are; the shared change, the
 * expert of the experience, the router and the head are trained. A new expert begins as no change, and its column of the
 * router as 0. The loss is that of the stream, of classes those of the experience. No task is asked for. Memory and work grow with the number of
 * experiences.
 *
 * Written from the abstract: Jung and Kim 2024, "PMoE: progressive mixture of experts with asymmetric transformer for continual learning",
 * arXiv:2407.21571, which says that there are shallow layers for general knowledge, experts that are added progressively in deep layers, and a router beside
 * the deep layers that sees deep features. Chosen here: that shares are a softmax over all experts and are given place by place, that the shallow change
 * is trained throughout, that half of the blocks are shallow, and which products are changed.
 *
 * Implements: P104 PMoE
 *
 * @throws RangeError when a run begins where no block is deep.
 *
 * @example
 * ```ts
 * import { pmoe } from "thalweg";
 * pmoe({ shallow: 0.5, rank: 4 });
 * ```
 */
export const pmoe = strategy(
  "pmoe",
  {
    /** The share of the blocks, from the first, that are shallow; rounded. */
    shallow: 0.5,
    /** Rank of the shared change and of each expert. */
    rank: 8,
  },
  ({ shallow, rank }) => {
    requireNumber("pmoe", "shallow", shallow, 0, 1);
    requireWhole("pmoe", "rank", rank, 1);
    const shallowOf = (network: Network): number => Math.round(shallow * blocksOf(network).paths.length);
    return {
      attention: true,
      tokens: true,
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters({ network, rng, stream }): Params {
        const { paths, width } = blocksOf(network);
        if (shallowOf(network) >= paths.length)
          throw new RangeError(
            `pmoe: a deep block is required, got ${shallowOf(network)} shallow ones of ${paths.length}; lower shallow`,
          );
        const own: Own = {
          shared: drawLowRank(network, rng.at("shared"), rank, parts, [0, shallowOf(network)]),
          expert: drawLowRank(network, rng.at("expert", 0), rank, parts, [shallowOf(network), paths.length]),
          router: tf.zeros([width, stream.length]),
        };
        return own as unknown as Params;
      },
      init: (): Memory => ({ tensors: {} }),
      beforeExperience({ tensors }: Memory, experience, context) {
        const open = openColumns(experience, context);
        if (experience.index === 0) return { tensors: { open } };
        const { network, weights, rng } = context;
        const own = weights.added!.pmoe as unknown as Own;
        const past = [...(tensors.past ?? []), cloneTree(own.expert as Tree) as Changes];
        const deep = [shallowOf(network), blocksOf(network).paths.length] as const;
        const expert = drawLowRank(network, rng.at("expert", experience.index), rank, parts, deep);
        const next: Own = { ...own, expert };
        return {
          tensors: { open, past },
          weights: withAdded(weights, "pmoe", next as unknown as Params),
          restart: true,
        };
      },
      forward({ tensors }, pass) {
        const { shared, expert, router } = addedBy<Own>(pass, "pmoe");
        const experts = [...(tensors?.past ?? []), expert];
        return pass.plain(routed(pass.network, shallowOf(pass.network), shared, experts, router));
      },
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
    };
  },
  ["boundary", "length"],
);

const parts = ["query", "key", "value", "out"];

/** Adds the shared change in the shallow blocks, and in the deep ones that of the experts by their shares. */
function routed(
  network: Network,
  shallow: number,
  shared: Changes,
  experts: readonly Changes[],
  router: tf.Tensor,
): Within {
  const { paths, width } = blocksOf(network);
  let shares: readonly tf.Tensor[] = [];
  const { tap } = productsWith(network, (name, rows) => {
    if (shared[name] !== undefined) return changed(rows, shared[name]);
    if (experts[0]![name] === undefined) return null;
    return tf.addN(experts.map((expert, e) => tf.mul(changed(rows, expert[name]!), shares[e]!)));
  });
  return {
    tap,
    around(path, x, run) {
      if (path.join("/") === paths[shallow]) {
        const columns = tf.slice(router as tf.Tensor2D, [0, 0], [width, experts.length]);
        const each = tf.softmax(tf.matMul(tf.reshape(x, [x.size / width, width]) as tf.Tensor2D, columns));
        shares = experts.map((_, e) => tf.slice(each, [0, e], [each.shape[0]!, 1]));
      }
      return run(x);
    },
  };
}
