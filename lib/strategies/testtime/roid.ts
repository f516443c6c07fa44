import { scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import { type Norms, normsOf, withNorms } from "../parts/norms.ts";
import { still } from "../parts/still.ts";
import * as t from "../parts/test-time.ts";
import { requireViews, viewOf } from "../parts/views.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  readonly carried: t.Begun<{ readonly source: Norms; readonly mean: tf.Tensor }> & { readonly optimizer: Tree };
}

/**
 * ROID: scales and shifts learn by a soft likelihood ratio of certain and diverse examples, are pulled back to the source a little with each
 * batch, and predictions are corrected by how often each class is predicted in the batch.
 *
 * Examples weigh by how unlike the moving mean of predictions they are and how certain; those less diverse than the mean do not count. With
 * `consistent` a view of each example is to be predicted as the example is. The batch is normalised by its own statistics.
 *
 * Marsden, Döbler and Yang 2023, arXiv:2306.00650, eq. 1–9.
 * Differs from the paper: views are moved, mirrored, noisy and partly hidden, as options say; they pass with those of examples that do not count.
 *
 * @example
 * ```ts
 * import { classes, digits, net, roid } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).corrupt("fog", 5, { part: "test" }).learn(model).by(roid({ reset: "never" }));
 * ```
 */
export const roid = strategy(
  "roid",
  {
    /** Learning rate at test time. */
    lr: 1e-3,
    /** Share of the running direction that is kept. */
    momentum: 0.9,
    /** How much of what was adapted is kept with each batch; the rest is the source. */
    keep: 0.99,
    /** How sharply examples weigh; smaller is sharper. */
    temperature: 1 / 3,
    /** Whether a view of each example is to be predicted alike. */
    consistent: true,
    /** Whether predictions are corrected by the classes of the batch. */
    prior: true,
    shiftPixels: 1,
    flip: 0,
    noise: 0.05,
    hide: 0,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When scales and shifts become again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ lr, momentum, keep, temperature, consistent, prior, batch, reset, shuffle, ...how }) => {
    requireNumber("roid", "lr", lr, 0);
    requireNumber("roid", "momentum", momentum, 0, 1);
    requireNumber("roid", "keep", keep, 0, 1);
    requireNumber("roid", "temperature", temperature, 1e-6);
    requireWhole("roid", "batch", batch, 1);
    requireOneOf("roid", "reset", reset, resets);
    requireViews("roid", how);
    const optimizer = sgd({ lr, momentum });
    return {
      tokens: t.onePrediction,
      classes: true,
      ...t.afresh(({ weights, columns }: Context): Memory => {
        const norms = t.requireNorms("roid", weights);
        const begun = t.notBegun(() => ({ source: t.zerosLike(norms), mean: tf.zeros([columns]) }));
        return { carried: { ...begun, optimizer: scoped(() => optimizer.init(norms as Tree)) } };
      }),
      adapting: { batch, reset, shuffle },
      adapt({ carried: now }: Memory, { weights, x, mask, rng, forward }) {
        const norms = normsOf(weights);
        const uniform = tf.fill(now.held.mean.shape, 1 / now.held.mean.size);
        const { source, mean } = t.heldOr(now, { source: norms, mean: uniform });
        const says = (at: Norms, rows: tf.Tensor): tf.Tensor =>
          masked(forward(rows, { weights: withNorms(weights, at), share: 1 }).logits, mask);
        const { grads, aux: logits } = valueAndGrad((at: Norms) => {
          const own = says(at, x);
          const weight = weightsOf(still(own), mean, temperature);
          let loss = tf.mean(tf.mul(likelihoodRatio(own), weight));
          if (consistent) {
            const other = t.symmetricTo(own, says(at, viewOf(x, rng.at("view"), how)));
            loss = tf.add(loss, tf.mean(tf.mul(other, weight)));
          }
          return [loss as tf.Scalar, own] as const;
        }, norms);
        const [next, state] = t.moved(optimizer, grads, now.optimizer, norms, lr);
        const p = tf.softmax(logits);
        const batchMean = tf.mean(p, 0);
        return {
          weights: withNorms(weights, t.blended(next, source, keep)),
          carried: { begun: tf.scalar(1), held: { source, mean: t.blended(mean, batchMean, 0.9) }, optimizer: state },
          logits: prior ? tf.add(logits, tf.log(smoothed(batchMean, x.shape[0]!))) : logits,
        };
      },
    };
  },
);

/** How much each row counts: by how unlike the mean prediction it is, times how certain. */
function weightsOf(logits: tf.Tensor, mean: tf.Tensor, temperature: number): tf.Tensor {
  const to01 = (values: tf.Tensor): tf.Tensor =>
    tf.div(tf.sub(values, tf.min(values)), tf.maximum(tf.sub(tf.max(values), tf.min(values)), 1e-12));
  const diverse = to01(tf.sub(1, t.cosinesTo(mean, tf.softmax(logits))));
  const certain = to01(tf.neg(t.entropies(logits)));
  const counts = t.as01(tf.greaterEqual(diverse, tf.mean(diverse)));
  return tf.mul(tf.exp(tf.div(tf.mul(diverse, certain), temperature)), counts);
}

/** The soft likelihood ratio of each row: `−Σ p log(p / (1 − p))`, p at most 0.99. */
function likelihoodRatio(logits: tf.Tensor): tf.Tensor {
  const p = tf.minimum(tf.softmax(logits), 0.99);
  return tf.neg(tf.sum(tf.mul(p, tf.log(tf.add(tf.div(p, tf.sub(1, p)), 1e-5))), -1));
}

/** How often each class is predicted in a batch of n, with something added to all. */
function smoothed(mean: tf.Tensor, n: number): tf.Tensor {
  const columns = mean.size;
  const added = tf.div(Math.max(1 / n, 1 / columns), tf.max(mean));
  return tf.div(tf.add(mean, added), tf.add(tf.mul(added, columns), 1));
}
