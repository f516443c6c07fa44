import { needOneOf } from "../../data/options.ts";
import { paths, scoped, type Tree, tf, unflatten } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { maskedGradient, movedWhere } from "../parts/sparse.ts";
import { type Context, strategy } from "../strategy.ts";

interface Memory {
  /** 1 where a weight may move, in the tree of the model's weights. */
  readonly tensors: { readonly mask: Weights["model"] };
}

/**
 * Goes on training a pruned network: kernels' numbers that are 0 when the run begins stay 0, whatever optimizer there is, and all others are
 * trained. With `train: "zeros"` it is the other way round: what pruning has freed is trained, and what is in use stays bit for bit, with
 * biases and everything else of the model, so that the next task does not disturb the last.
 *
 * The network is begun from: `from(prune.wanda(network, data).network)`. The head is trained as always.
 *
 * Freed weights for the next task: Mallya and Lazebnik 2018, "PackNet", arXiv:1711.05769, section 3; a fixed mask in further training: Han et al.
 * 2015, arXiv:1506.02626, section 3.2.
 *
 * @example
 * ```ts
 * import { keepZeros } from "thalweg";
 * keepZeros({ train: "zeros" });
 * ```
 */
export const keepZeros = strategy(
  "keepZeros",
  {
    /** "others": all but the zeros is trained; "zeros": only they are. */
    train: "others" as string,
  },
  ({ train }) => {
    needOneOf("keepZeros", "train", train, ["others", "zeros"]);
    return {
      tokens: true,
      init: ({ weights, network }: Context): Memory => ({
        tensors: {
          mask: scoped(() =>
            unflatten(
              weights.model,
              paths(weights.model as Tree).map(([path, w]) => {
                const kernel = network.kindOf(`model/${path}`) === "weight" && path.endsWith("/kernel");
                if (!kernel) return train === "zeros" ? tf.zerosLike(w) : tf.onesLike(w);
                return tf.cast(train === "zeros" ? tf.equal(w, 0) : tf.notEqual(w, 0), "float32");
              }),
            ),
          ) as Weights["model"],
        },
      }),
      gradient: ({ tensors }: Memory, gradient) => maskedGradient(gradient, tensors.mask),
      weights: ({ tensors }: Memory, { before, after }) => movedWhere(before, after, tensors.mask),
    };
  },
);
