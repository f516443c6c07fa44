import { mapTensors, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { masked, type Weights } from "../../models/network.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import * as t from "../parts/test-time.ts";
import { requireViews, viewOf } from "../parts/views.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  readonly carried: t.Begun<{ readonly source: Weights; readonly teacher: Weights }> & { readonly optimizer: Tree };
}

/**
 * CoTTA: all weights learn what a slow average of them says, where the source is uncertain the mean of what it says of several views, and a
 * few weights at random become again what was trained.
 *
 * Each batch is normalised by its own statistics. The teacher's answers are the prediction; it follows as `θ' ← keep · θ' + (1 − keep) · θ`.
 * It needs the weights three times.
 *
 * Wang et al. 2022, arXiv:2203.13591, eq. 1–8 and algorithm 1.
 * Differs from the paper: views are moved, mirrored, noisy and partly hidden, as options say, and fewer than its 32.
 *
 * @example
 * ```ts
 * import { classes, cotta, digits, net } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).corrupt(["fog", "contrast"], 5, { part: "test" }).learn(model).by(cotta({ reset: "round" }));
 * ```
 */
export const cotta = strategy(
  "cotta",
  {
    /** Learning rate at test time. */
    lr: 1e-3,
    /** How much of the teacher is kept with each batch. */
    keep: 0.999,
    /** The share of weights that become again what was trained, with each batch. */
    restore: 0.01,
    /** The mean confidence of the source below which the teacher looks at views. */
    confidence: 0.92,
    /** Views that the teacher looks at. */
    views: 4,
    shiftPixels: 1,
    flip: 0,
    noise: 0.05,
    hide: 0,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When the weights become again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ lr, keep, restore, confidence, views, batch, reset, shuffle, ...how }) => {
    requireNumber("cotta", "lr", lr, 0);
    for (const [name, value] of Object.entries({ keep, restore, confidence }))
      requireNumber("cotta", name, value, 0, 1);
    requireWhole("cotta", "views", views, 0);
    requireWhole("cotta", "batch", batch, 1);
    requireOneOf("cotta", "reset", reset, resets);
    requireViews("cotta", how);
    const optimizer = adam({ lr });
    return {
      tokens: t.onePrediction,
      classes: true,
      ...t.afresh(({ weights }: Context): Memory => {
        const begun = t.notBegun(() => ({ source: t.zerosLike(weights), teacher: t.zerosLike(weights) }));
        return { carried: { ...begun, optimizer: scoped(() => optimizer.init(weights as unknown as Tree)) } };
      }),
      adapting: { batch, reset, shuffle },
      adapt({ carried: now }: Memory, { weights, x, mask, rng, forward }) {
        const { source, teacher } = t.heldOr(now, { source: weights, teacher: weights });
        const says = (at: Weights, rows: tf.Tensor): tf.Tensor =>
          masked(forward(rows, { weights: at, share: 1 }).logits, mask);
        let target = says(teacher, x);
        if (views > 0) {
          const sure = tf.mean(tf.max(tf.softmax(says(source, x)), -1));
          const each = Array.from({ length: views }, (_, view) => says(teacher, viewOf(x, rng.at("view", view), how)));
          target = t.chosen(t.as01(tf.less(sure, confidence)), tf.div(tf.addN(each), views), target);
        }
        const { grads } = valueAndGrad(
          (at: Weights) => tf.mean(t.crossEntropyTo(target, says(at, x))) as tf.Scalar,
          weights,
        );
        const [next, state] = t.moved(optimizer, grads, now.optimizer, weights, lr);
        let leaf = 0;
        const restored =
          restore === 0
            ? next
            : mapTensors(
                (w, from) => t.chosen(t.as01(tf.less(rng.at("restore", leaf++).uniforms(w.shape), restore)), from!, w),
                next,
                source,
              );
        const held = { source, teacher: t.blended(teacher, next, keep) };
        return { weights: restored, carried: { begun: tf.scalar(1), held, optimizer: state }, logits: target };
      },
    };
  },
);
