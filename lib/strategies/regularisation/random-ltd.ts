import { needShare } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { blocksOf } from "../parts/blocks.ts";
import { withExtra } from "../parts/buffer.ts";
import { requireWhole, strategy } from "../strategy.ts";

/**
 * Random-LTD: in training the middle blocks of a transformer see some of the places alone, others in each block; the rest pass by, and in the
 * first and the last block all are there. Of two blocks the second is a middle one.
 *
 * At first `first` of the places are kept in a step, and `quantum` more after each of equal spans of steps, until after `steps` all are. Places are drawn anew in every step
 * for each block, and stay in their order, so that a causal block remains one; rows of a batch share them. Places are told apart before the blocks:
 * rotary positions and biases for the distance count the kept ones.
 *
 * Implements: P261 random-LTD
 * Yao et al. 2022, "Random-LTD: random and layerwise token dropping brings efficient training for large-scale transformers", arXiv:2211.11586, sections 3.1 and 3.2 (growth in equal steps).
 * Differs from the paper: the learning rate does not count the tokens of the layers; combine it with a schedule.
 *
 * @throws TypeError for a model with fewer than two blocks of attention.
 *
 * @example
 * ```ts
 * import { classes, digits, randomLtd, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 2, width: 8, depth: 4, heads: 2 })).by(randomLtd({ first: 0.5, steps: 100 }));
 * ```
 */
export const randomLtd = strategy(
  "randomLtd",
  {
    /** The share of the places that are kept at first. */
    first: 0.5,
    /** Steps until all are kept. */
    steps: 1000,
    /** How many places more are kept at a time. */
    quantum: 4,
  },
  ({ first, steps, quantum }) => {
    needShare("randomLtd", "first", first);
    requireWhole("randomLtd", "steps", steps, 1);
    requireWhole("randomLtd", "quantum", quantum, 1);
    return {
      tokens: true,
      attention: true,
      batch(_state: object, batch, { network, step, rng }) {
        const { paths, places } = blocksOf(network);
        if (paths.length < 2)
          throw new TypeError(
            `randomLtd: a model with at least two blocks of attention is required, got ${network.model.spec.name} with ${paths.length}`,
          );
        const kept = keptPlaces(places, step, { first, steps, quantum });
        const own = rng.at("kept", step);
        const at = paths.slice(1, Math.max(2, paths.length - 1)).map((_, block) => {
          const order = own.at(block).permutation(places).slice(0, kept);
          return [...order].sort((a, b) => a - b);
        });
        const data = Int32Array.from(at.flat());
        return withExtra(batch, "randomLtd", { kept: { data, shape: [at.length, kept] } });
      },
      taskLoss(_state: object, step) {
        const { paths } = blocksOf(step.network);
        const all = step.extra.kept as tf.Tensor2D;
        const [, kept] = all.shape;
        const { logits } = step.forward(step.x, {
          around(path, x, run) {
            const block = paths.indexOf(path.join("/")) - 1;
            if (block < 0 || block >= all.shape[0] || kept === x.shape[1]) return run(x);
            const [n, length, units] = x.shape as [number, number, number];
            const at = tf.reshape(tf.slice(all, [block, 0], [1, kept]), [kept]);
            // `[n, kept, length]`: ones where a kept place was
            const chosen = tf.tile(tf.expandDims(tf.oneHot(tf.cast(at, "int32"), length, 1, 0, "float32"), 0), [
              n,
              1,
              1,
            ]);
            const before = tf.matMul(chosen, tf.reshape(x, [n, length, units]));
            return tf.add(x, tf.matMul(chosen, tf.sub(run(before), before), true));
          },
        });
        const { y, targets, mask, weight } = step;
        return step.targetLoss({ logits, y, targets, mask, weight });
      },
    };
  },
);

/** How many of some places are kept in a step, from 0. */
export function keptPlaces(
  length: number,
  step: number,
  { first, steps, quantum }: { readonly first: number; readonly steps: number; readonly quantum: number },
): number {
  const begin = Math.max(1, Math.round(first * length));
  const spans = Math.ceil((length - begin) / quantum);
  return Math.min(length, begin + quantum * Math.floor((spans * Math.min(step, steps)) / steps));
}
