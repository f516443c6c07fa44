import { cloneTree, disposeTree, leaves, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import { type Anchor, merged, pull, widenedLike } from "../parts/anchor.ts";
import { type FisherLabels, fisher, fisherLabels } from "../parts/fisher.ts";
import { requireNumber, requireOneOf, strategy } from "../strategy.ts";

interface Memory {
  tensors: Anchor | undefined;
}

/**
 * Elastic weight consolidation: weights that matter for past tasks are pulled back to where those tasks left them.
 *
 * Adds `½ · lambda · Σ_t Σ_i F_t,i (θ_i − θ*_t,i)²`, with `F_t` the diagonal of the Fisher information after task t (mean over examples,
 * per example, see `fisher`). The sum over past tasks is kept as one exact quadratic, so cost and memory do not grow with their number.
 * With `online`, one running importance `F ← decay · F + F_t` is pulled to the latest weights instead (Schwarz et al. 2018).
 *
 * The ½ and the per-example exact Fisher are the paper's; libraries that leave out the ½ or square the gradient of a batch's mean need a
 * `lambda` that is smaller or larger by orders of magnitude.
 *
 * Kirkpatrick et al. 2017, arXiv:1612.00796, eq. 3; Schwarz et al. 2018, arXiv:1805.06370, eq. 9.
 *
 * Implements: P071 EWC
 *
 * @example
 * ```ts
 * import { ewc } from "thalweg";
 * ewc({ lambda: 1000, fisher: "all", samples: 200 });
 * ```
 */
export const ewc = strategy(
  "ewc",
  {
    /** Strength of the penalty. */
    lambda: 100,
    /** At which labels the Fisher information is taken. */
    fisher: "all" as FisherLabels,
    /** Examples per task that the Fisher information is measured on, at most; 0 measures it on all. */
    samples: 0,
    /** One running importance in place of one per task. */
    online: false,
    /** Share of the running importance that is kept at each task, in [0, 1]; with `online` only. */
    decay: 1,
  },
  ({ lambda, fisher: labels, samples, online, decay }) => {
    requireNumber("ewc", "lambda", lambda, 0);
    requireNumber("ewc", "samples", samples, 0);
    requireNumber("ewc", "decay", decay, 0, 1);
    requireOneOf("ewc", "fisher", labels, fisherLabels);
    return {
      role: "importance",
      tokens:
        labels === "all" || labels === "likely"
          ? `its Fisher information takes every label of an example, and a sequence has too many; take fisher "true", "sampled" or "batch"`
          : true,
      init: (): Memory => ({ tensors: undefined }),
      beforeExperience({ tensors }, _experience, { weights }) {
        if (tensors === undefined || sameShapes(tensors.center, weights)) return { tensors };
        const { importance, center } = tensors;
        return { tensors: { importance: widenedLike(importance, weights), center: widenedLike(center, weights) } };
      },
      loss: ({ tensors }, { weights }) => (tensors === undefined ? tf.scalar(0) : pull(tensors, weights, lambda)),
      afterExperience({ tensors: older }, { train, task }, context) {
        if (train.length === 0) return { tensors: older };
        const importance = fisher(train, { labels, samples: samples || train.length, task }, context);
        const newer: Anchor = { importance, center: cloneTree(context.weights) };
        if (older === undefined) return { tensors: newer };
        const tensors = online ? running(older, newer, decay) : merged(older, newer);
        disposeTree(newer);
        return { tensors };
      },
    };
  },
  ["boundary"],
);

function running(older: Anchor, newer: Anchor, decay: number): Anchor {
  return scoped(() => ({
    importance: mapTensors((a, b) => tf.add(tf.mul(a, decay), b!), older.importance, newer.importance),
    center: cloneTree(newer.center),
  }));
}

function sameShapes(a: Tree, b: Tree): boolean {
  const shapes = (tree: Tree): string =>
    leaves(tree)
      .map((t) => `[${t.shape}]`)
      .join();
  return shapes(a) === shapes(b);
}
