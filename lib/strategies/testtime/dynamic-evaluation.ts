import { cloneTree, disposeTree, leaves, mapTensors, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { crossEntropies, type Weights } from "../../models/network.ts";
import { fisher } from "../parts/fisher.ts";
import * as t from "../parts/test-time.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  /** The mean squared gradients of the training data. */
  readonly tensors: { readonly squares: Weights };
  readonly carried: t.Begun<{ readonly source: Weights }>;
}

/**
 * Dynamic evaluation: a sequence model predicts a segment of text, and then learns from the tokens it has read there, while it is pulled
 * back to what was trained.
 *
 * `θ ← θ + decay · D (θ₀ − θ) − lr · g / (√MS + ε)`, with g the gradient of the mean loss of each place's token by those before it in the
 * segment, MS the mean squared gradients of training batches, and D their roots divided by their mean, at most 1/decay. Made for streams that
 * ask for the next token at each place; segments arrive in their order.
 *
 * Implements: P085 Dynamic Evaluation
 *
 * Krause et al. 2018, arXiv:1709.07432, eq. 3–8 (RMS with RMS-weighted decay).
 * Differs from the paper: state does not go from segment to segment, and the last token of a segment, which no test example shows, is not learnt.
 *
 * @example
 * ```ts
 * import { dynamicEvaluation, fromText, gpt, sequence } from "thalweg";
 * const text = fromText("one two three four one two three four ".repeat(40), { length: 8 });
 * sequence(text, 1).learn(gpt({ width: 16, depth: 1, heads: 2, tokens: text.classes.length })).by(dynamicEvaluation());
 * ```
 */
export const dynamicEvaluation = strategy(
  "dynamicEvaluation",
  {
    lr: 5e-3,
    /** How hard weights are pulled back. */
    decay: 2e-3,
    /** What is added to the roots. */
    epsilon: 2e-5,
    /** Training examples that gradients are measured on. */
    samples: 200,
    /** Segments that arrive at once. */
    batch: 1,
    /** When the weights become again what was trained. */
    reset: "task" as Reset,
  },
  ({ lr, decay, epsilon, samples, batch, reset }) => {
    for (const [name, value] of Object.entries({ lr, decay, epsilon }))
      requireNumber("dynamicEvaluation", name, value, 0);
    requireWhole("dynamicEvaluation", "samples", samples, 1);
    requireWhole("dynamicEvaluation", "batch", batch, 1);
    requireOneOf("dynamicEvaluation", "reset", reset, resets);
    const carried = ({ weights }: Context): Memory["carried"] => t.notBegun(() => ({ source: t.zerosLike(weights) }));
    return {
      tokens: true,
      classes: true,
      init: (context): Memory => ({
        tensors: { squares: scoped(() => t.zerosLike(context.weights)) },
        carried: carried(context),
      }),
      beforeExperience: (state: Memory, _experience, context): Memory => ({ ...state, carried: carried(context) }),
      afterExperience(state: Memory, { train, task }, context): Memory {
        if (train.length === 0) return state;
        const all = fisher(train, { labels: "batch", samples: Math.min(samples, train.length), task }, context);
        const squares = cloneTree(all);
        disposeTree(all as unknown as Tree);
        return { ...state, tensors: { squares } };
      },
      adapting: { batch, reset, shuffle: false },
      adapt({ tensors: { squares }, carried: now }: Memory, { weights, x, forward }) {
        const { source } = t.heldOr(now, { source: weights });
        const { grads, aux: logits } = valueAndGrad((at: Weights) => {
          const z = forward(x, { weights: at }).logits;
          if (z.rank !== 3) return [tf.mean(t.entropies(z)) as tf.Scalar, z] as const;
          const [n, length, columns] = z.shape as [number, number, number];
          const said = tf.reshape(tf.slice(z, [0, 0, 0], [n, length - 1, columns]), [n * (length - 1), columns]);
          const read = tf.cast(tf.reshape(tf.slice(x, [0, 1], [n, length - 1]), [n * (length - 1)]), "int32");
          return [tf.mean(crossEntropies(said, read)) as tf.Scalar, z] as const;
        }, weights);
        const roots = mapTensors(tf.sqrt, squares);
        const all = leaves(roots);
        const mean = tf.maximum(tf.div(tf.addN(all.map((root) => tf.mean(root))), all.length), 1e-12);
        const next = mapTensors(
          (w, from, g, root) => {
            const back = tf.mul(tf.minimum(tf.div(root!, mean), 1 / Math.max(decay, 1e-12)), decay);
            const step = tf.mul(tf.div(g!, tf.add(root!, epsilon)), lr);
            return tf.sub(tf.add(w, tf.mul(back, tf.sub(from!, w))), step);
          },
          weights,
          source,
          grads,
          roots,
        );
        return { weights: next, carried: { begun: tf.scalar(1), held: { source } }, logits };
      },
    };
  },
);
