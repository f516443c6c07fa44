import { scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { masked, type Weights } from "../../models/network.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import * as t from "../parts/test-time.ts";
import { requireViews, viewOf } from "../parts/views.ts";
import { type Reset, requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * MEMO: for each example by itself, all weights take a step that makes the mean prediction of several views of it certain; then the example is
 * predicted, and the weights are again what was trained.
 *
 * Layers with running statistics normalise by a mean of these, which count for `prior` examples, and of the views' own. With more than one
 * example in a batch the step is for all of them together.
 *
 * Zhang, Levine and Finn 2022, arXiv:2110.09506, eq. 2–4 and algorithm 1.
 * Differs from the paper: views are moved, mirrored, noisy and partly hidden, as options say, not AugMix.
 *
 * @example
 * ```ts
 * import { classes, digits, memo, mlp } from "thalweg";
 * classes(digits()).corrupt("fog", 5, { part: "test" }).limit(100).learn(mlp()).by(memo({ views: 4 }));
 * ```
 */
export const memo = strategy(
  "memo",
  {
    /** Learning rate at test time. */
    lr: 0.005,
    /** Views of each example; 0 takes the example itself. */
    views: 8,
    /** For how many examples the running statistics count. */
    prior: 16,
    steps: 1,
    shiftPixels: 1,
    flip: 0,
    noise: 0.05,
    hide: 0.1,
    /** Test examples that arrive at once. */
    batch: 1,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ lr, views, prior, steps, batch, shuffle, ...how }) => {
    requireNumber("memo", "lr", lr, 0);
    requireWhole("memo", "views", views, 0);
    requireNumber("memo", "prior", prior, 0);
    requireWhole("memo", "steps", steps, 1);
    requireWhole("memo", "batch", batch, 1);
    requireViews("memo", how);
    const optimizer = sgd({ lr });
    return {
      tokens: t.onePrediction,
      classes: true,
      adapting: { batch, reset: "batch" satisfies Reset, shuffle },
      adapt(_state, { weights, x, mask, rng, forward }) {
        const share = 1 / (1 + prior);
        const seen =
          views === 0 ? [x] : Array.from({ length: views }, (_, view) => viewOf(x, rng.at("view", view), how));
        let now = weights;
        let state = scoped(() => optimizer.init(weights as unknown as Tree));
        for (let step = 0; step < steps; step++) {
          const { grads } = valueAndGrad((at: Weights) => {
            const { logits } = forward(tf.concat(seen), { weights: at, share });
            const p = tf.softmax(masked(logits, mask));
            const mean = tf.mean(tf.reshape(p, [seen.length, ...logits.shape.with(0, x.shape[0]!)]), 0);
            return tf.mean(tf.neg(tf.sum(tf.mul(mean, tf.log(tf.maximum(mean, 1e-20))), -1))) as tf.Scalar;
          }, now);
          [now, state] = t.moved(optimizer, grads, state, now, lr) as [Weights, Tree];
        }
        return { logits: masked(forward(x, { weights: now, share }).logits, mask) };
      },
    };
  },
);
