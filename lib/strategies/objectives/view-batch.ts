import { gather, sizeOf } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { currentRows } from "../parts/rows.ts";
import { still } from "../parts/still.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Every example comes as several views in one batch, which must agree, and rests the longer until it comes again.
 *
 * A step has `copies` rows of each example of the batch; all but the first get noise, and `views({ pad, flip })` moves and mirrors them all. To the loss is
 * added `weight` times the mean over views and examples of `KL(p₁ ‖ p_v)`, p₁ being the prediction for the first view, which gets no gradient from it: one to
 * many. With a batch and a number of passes that are `copies` times smaller a run has the same rows and steps, and an example comes again after
 * `copies` times as many steps. It goes before strategies that join rows.
 *
 * Implements: P329 View-batch model (rest)
 * Yoon et al. 2025, "Do your best and get enough rest for continual learning", arXiv:2503.18371, with the divergence of its program.
 * Differs from the paper: views other than the first get noise besides the moves, where theirs get stronger ones; the divergence counts from the first pass
 * on, theirs from the sixth, and is a sum over classes, theirs a mean.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, replay, viewBatch, views } from "thalweg";
 * const study = classes(digits()).split(5).learn(mlp()).by(viewBatch({ copies: 4 }), replay({ capacity: 200 }));
 * study.with(views({ pad: 1 })).train({ batch: 8, epochs: 3 }).name; // "viewBatch+replay"
 * ```
 */
export const viewBatch = strategy(
  "viewBatch",
  {
    /** Rows of each example in a step. */
    copies: 4,
    /** The deviation of the noise on all views but the first, in the units that the model sees. */
    noise: 0.1,
    /** Strength of the divergence between views. */
    weight: 1,
  },
  ({ copies, noise, weight }) => {
    requireWhole("viewBatch", "copies", copies, 2);
    requireNumber("viewBatch", "noise", noise, 0);
    requireNumber("viewBatch", "weight", weight, 0);
    return {
      tokens: "its views must ask for one answer, and sequences for many",
      batch(_state, batch, { rng, step }) {
        if (batch.current !== batch.y.length)
          throw new TypeError(
            "viewBatch: a place before the strategies that join rows is required, as their rows have no views; say .by(viewBatch(), replay())",
          );
        const n = batch.current;
        const at = Uint32Array.from({ length: copies * n }, (_, i) => batch.at[i % n]!);
        const rounds = <T extends Int32Array | Float32Array>(of: T, width = 1): T =>
          (of.constructor as unknown as { from(x: { length: number }, f: (_: unknown, i: number) => number): T }).from(
            { length: copies * n * width },
            (_, i) => of[i % (n * width)]!,
          );
        const x = gather(batch.from, at);
        const own = rng.at("views", step);
        for (let i = n * sizeOf(batch.from.shape); i < x.length; i++) x[i]! += noise * own.normal();
        const { targets } = batch;
        return {
          ...batch,
          x,
          at,
          y: rounds(batch.y),
          task: rounds(batch.task),
          targets: targets && rounds(targets, targets.length / n),
          weight: batch.weight && rounds(batch.weight),
          current: copies * n,
          views: copies * (batch.views ?? 1),
        };
      },
      loss(_state, step) {
        const current = currentRows(step);
        const logits = masked(current.logits, current.mask);
        const [rows, columns] = logits.shape as [number, number];
        const all = tf.reshape(tf.logSoftmax(logits), [copies, rows / copies, columns]);
        const cut = (from: number, count: number): tf.Tensor =>
          tf.slice(all, [from, 0, 0], [count, rows / copies, columns]);
        const first = still(cut(0, 1));
        const apart = tf.sum(tf.mul(tf.exp(first), tf.sub(first, cut(1, copies - 1))), -1);
        return tf.mul(tf.mean(apart), weight) as tf.Scalar;
      },
    };
  },
);
