import { cloneTree, disposeTree, scoped, sumTree, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import { fisher } from "../parts/fisher.ts";
import { type Norms, normsOf, withNorms } from "../parts/norms.ts";
import { still } from "../parts/still.ts";
import * as t from "../parts/test-time.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: { readonly importance: Norms };
  readonly carried: t.Begun<{ readonly source: Norms; readonly mean: tf.Tensor; readonly met: tf.Tensor }> & {
    readonly optimizer: Tree;
  };
}

/**
 * EATA: entropy goes down as with Tent, but only by examples that are certain enough and unlike what was seen before, and scales and
 * shifts that mattered for the training data are held where they were.
 *
 * An example counts where its entropy is below `margin · log(columns)` and the cosine of its prediction to their moving mean is below
 * `redundancy`; then by `exp(margin − entropy)`. `strength · Σ F (θ − θ₀)²` is added, F being the Fisher information of training examples,
 * measured after every experience. A batch without an example that counts changes nothing. The batch is normalised by its own statistics.
 *
 * Niu et al. 2022, arXiv:2204.02610, eq. 2–9 and algorithm 1; its settings for ImageNet-C are lr 0.00025, redundancy 0.05, strength 2000.
 * Differs from the paper: F is of labelled training examples one by one, those of the last experience, normalised by running statistics.
 *
 * @example
 * ```ts
 * import { classes, digits, eata, net } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).corrupt("fog", 5, { part: "test" }).learn(model).by(eata({ strength: 1 }));
 * ```
 */
export const eata = strategy(
  "eata",
  {
    /** Learning rate at test time. */
    lr: 1e-3,
    /** Share of the running direction that is kept. */
    momentum: 0.9,
    /** The entropy above which an example does not count, as a share of the greatest there can be. */
    margin: 0.4,
    /** The cosine to the mean prediction above which an example is redundant. */
    redundancy: 0.4,
    /** How hard scales and shifts are held. */
    strength: 1,
    /** Training examples that their importance is measured on. */
    samples: 200,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When scales and shifts become again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ lr, momentum, margin, redundancy, strength, samples, batch, reset, shuffle }) => {
    for (const [name, value] of Object.entries({ lr, margin, redundancy, strength }))
      requireNumber("eata", name, value, 0);
    requireNumber("eata", "momentum", momentum, 0, 1);
    requireWhole("eata", "samples", samples, 1);
    requireWhole("eata", "batch", batch, 1);
    requireOneOf("eata", "reset", reset, resets);
    const optimizer = sgd({ lr, momentum });
    const carried = ({ weights, columns }: Context): Memory["carried"] => {
      const norms = t.requireNorms("eata", weights);
      return {
        ...t.notBegun(() => ({ source: t.zerosLike(norms), mean: tf.zeros([columns]), met: tf.scalar(0) })),
        optimizer: scoped(() => optimizer.init(norms as Tree)),
      };
    };
    return {
      tokens: t.onePrediction,
      classes: true,
      init(context): Memory {
        const importance = scoped(() => t.zerosLike(t.requireNorms("eata", context.weights)));
        return { tensors: { importance }, carried: carried(context) };
      },
      beforeExperience: (state: Memory, _experience, context): Memory => ({ ...state, carried: carried(context) }),
      afterExperience(state: Memory, { train, task }, context): Memory {
        if (train.length === 0 || strength === 0) return state;
        const all = fisher(train, { labels: "true", samples: Math.min(samples, train.length), task }, context);
        const importance = cloneTree(normsOf(all));
        disposeTree(all as unknown as Tree);
        return { ...state, tensors: { importance } };
      },
      adapting: { batch, reset, shuffle },
      adapt({ tensors: { importance }, carried: now }: Memory, { weights, x, mask, forward }) {
        const norms = normsOf(weights);
        const { source, mean, met } = t.heldOr(now, {
          source: norms,
          mean: tf.zerosLike(now.held.mean),
          met: tf.scalar(0) as tf.Tensor,
        });
        const { grads, aux } = valueAndGrad((at: Norms) => {
          const logits = masked(forward(x, { weights: withNorms(weights, at), share: 1 }).logits, mask);
          const least = tf.mul(t.greatestEntropy(logits, mask), margin);
          const each = t.entropies(logits);
          const [own, p] = [still(each), still(tf.softmax(logits))];
          const certain = t.below(own, least);
          const alike = tf.abs(t.cosinesTo(mean, p));
          const counts = tf.mul(certain, tf.maximum(t.below(alike, redundancy), tf.sub(1, met)));
          const loss = t.weightedMean(tf.mul(each, tf.exp(tf.sub(least, own))), counts);
          const held = sumTree(
            (a, b, f) => tf.sum(tf.mul(f!, tf.square(tf.sub(a, b!)))) as tf.Scalar,
            at,
            source,
            importance,
          );
          return [tf.add(loss, tf.mul(held, strength)) as tf.Scalar, { logits, p, counts }] as const;
        }, norms);
        const { logits, p, counts } = aux;
        const any = t.as01(tf.greater(tf.sum(counts), 0));
        const [next, state] = t.moved(optimizer, grads, now.optimizer, norms, lr);
        const seen = tf.div(tf.sum(tf.mul(p, tf.expandDims(counts, 1)), 0), tf.maximum(tf.sum(counts), 1));
        const later = t.chosen(met, tf.add(tf.mul(mean, 0.9), tf.mul(seen, 0.1)), seen);
        return {
          weights: withNorms(weights, t.chosen(any, next, norms)),
          carried: {
            begun: tf.scalar(1),
            held: { source, mean: t.chosen(any, later, mean), met: tf.maximum(met, any) },
            optimizer: t.chosen(any, state, now.optimizer),
          },
          logits,
        };
      },
    };
  },
);
