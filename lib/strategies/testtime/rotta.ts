import { scan, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { type Norms, normsOf, withNorms } from "../parts/norms.ts";
import { type Bank, emptyBank, keptBest } from "../parts/test-bank.ts";
import * as t from "../parts/test-time.ts";
import { requireViews, viewOf } from "../parts/views.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  readonly carried: t.Begun<{ readonly teacher: Norms }> & { readonly optimizer: Tree; readonly bank: Bank };
}

/**
 * RoTTA: for test streams whose classes come together. A memory keeps certain and recent examples of all predicted classes alike; scales and
 * shifts learn on it what a slow average of them says, recent examples first, and the running statistics follow it slowly.
 *
 * The teacher's answers, before it learns from the batch, are the prediction, normalised by the running statistics.
 *
 * Yuan, Xie and Li 2023, arXiv:2303.13922, eq. 1–9 and algorithm 1.
 * Differs from the paper: a step with every batch, not with every 64 examples; views of the memory are moved, mirrored, noisy and partly
 * hidden, as options say; student and teacher share the running statistics.
 *
 * @example
 * ```ts
 * import { classes, digits, net, rotta } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).corrupt("fog", 5, { part: "test" }).learn(model).by(rotta({ shuffle: false }));
 * ```
 */
export const rotta = strategy(
  "rotta",
  {
    /** Learning rate at test time. */
    lr: 1e-3,
    /** Examples that are kept. */
    capacity: 64,
    /** The share of the memory's own statistics in the running ones, with each batch. */
    follow: 0.05,
    /** How much of the teacher is kept with each batch. */
    keep: 0.999,
    /** How much age, and how much uncertainty, speak against keeping an example. */
    age: 1,
    uncertainty: 1,
    shiftPixels: 1,
    flip: 0,
    noise: 0.05,
    hide: 0,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When everything becomes again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ lr, capacity, follow, keep, age, uncertainty, batch, reset, shuffle, ...how }) => {
    for (const [name, value] of Object.entries({ lr, age, uncertainty })) requireNumber("rotta", name, value, 0);
    for (const [name, value] of Object.entries({ follow, keep })) requireNumber("rotta", name, value, 0, 1);
    requireWhole("rotta", "capacity", capacity, 1);
    requireWhole("rotta", "batch", batch, 1);
    requireOneOf("rotta", "reset", reset, resets);
    requireViews("rotta", how);
    const optimizer = adam({ lr });
    return {
      tokens: t.onePrediction,
      classes: true,
      ...t.afresh(({ weights, network, columns }: Context): Memory => {
        const norms = t.requireNorms("rotta", weights);
        return {
          carried: {
            ...t.notBegun(() => ({ teacher: t.zerosLike(norms) })),
            optimizer: scoped(() => optimizer.init(norms as Tree)),
            bank: scoped(() => emptyBank(capacity, network.input, columns)),
          },
        };
      }),
      adapting: { batch, reset, shuffle },
      adapt({ carried: now }: Memory, { weights, x, mask, rng, forward }) {
        const norms = normsOf(weights);
        const { teacher } = t.heldOr(now, { teacher: norms });
        const logits = masked(forward(x, { weights: withNorms(weights, teacher) }).logits, mask);
        const doubt = tf.div(t.entropies(logits), t.greatestEntropy(logits, mask));
        const label = tf.cast(tf.argMax(logits, -1), "float32");
        const [bank] = scan(keptBest(capacity, age, uncertainty), now.bank, { x, label, doubt }, {});
        const row = tf.exp(tf.neg(tf.div(bank.age, capacity)));
        const recent = tf.mul(tf.div(row, tf.add(row, 1)), bank.filled);
        const taught = forward(bank.x, { weights: withNorms(weights, teacher), share: follow });
        const target = masked(taught.logits, mask);
        const { grads } = valueAndGrad((at: Norms) => {
          const seen = viewOf(bank.x, rng.at("view"), how);
          const own = masked(forward(seen, { weights: withNorms(weights, at), share: follow }).logits, mask);
          const each = tf.mul(t.crossEntropyTo(target, own), recent);
          return tf.div(tf.sum(each), tf.maximum(tf.sum(bank.filled), 1)) as tf.Scalar;
        }, norms);
        const [next, state] = t.moved(optimizer, grads, now.optimizer, norms, lr);
        return {
          weights: withNorms(weights, next),
          statistics: taught.statistics,
          carried: { begun: tf.scalar(1), held: { teacher: t.blended(teacher, next, keep) }, optimizer: state, bank },
          logits,
        };
      },
    };
  },
);
