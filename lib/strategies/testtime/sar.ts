import { mapTensors, scoped, sumTree, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import { type Norms, normsOf, withNorms } from "../parts/norms.ts";
import { still } from "../parts/still.ts";
import * as t from "../parts/test-time.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  readonly carried: t.Begun<{ readonly source: Norms; readonly mean: tf.Tensor; readonly met: tf.Tensor }> & {
    readonly optimizer: Tree;
  };
}

/**
 * SAR: the entropy of certain examples goes down towards where it is flat, and when a learner has become certain of everything it begins
 * again.
 *
 * The gradient is taken a distance `radius` up the slope, of those examples that are certain at both places. A moving mean of the entropy
 * that falls below `recovery` is a sign of collapse: scales and shifts are then again what was trained.
 *
 * Niu et al. 2023, "Towards stable test-time adaptation in dynamic wild world", arXiv:2302.12400, eq. 2–5 and algorithm 1.
 * Differs from the paper: the scales and shifts of the last layers are trained too; with the weights the running direction begins again too.
 *
 * @example
 * ```ts
 * import { classes, digits, net, sar } from "thalweg";
 * const model = net().conv(8, 3).groupNorm(4).relu().flatten();
 * classes(digits()).corrupt("fog", 5, { part: "test" }).learn(model).by(sar({ batch: 1 }));
 * ```
 */
export const sar = strategy(
  "sar",
  {
    /** Learning rate at test time. */
    lr: 1e-3,
    /** Share of the running direction that is kept. */
    momentum: 0.9,
    /** The entropy above which an example does not count, as a share of the greatest there can be. */
    margin: 0.4,
    /** How far up the slope the gradient is taken. */
    radius: 0.05,
    /** The moving mean of the entropy below which everything begins again. */
    recovery: 0.2,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When scales and shifts become again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ lr, momentum, margin, radius, recovery, batch, reset, shuffle }) => {
    for (const [name, value] of Object.entries({ lr, margin, radius, recovery })) requireNumber("sar", name, value, 0);
    requireNumber("sar", "momentum", momentum, 0, 1);
    requireWhole("sar", "batch", batch, 1);
    requireOneOf("sar", "reset", reset, resets);
    const optimizer = sgd({ lr, momentum });
    return {
      tokens: t.onePrediction,
      classes: true,
      ...t.afresh(({ weights }: Context): Memory => {
        const norms = t.requireNorms("sar", weights);
        const begun = t.notBegun(() => ({ source: t.zerosLike(norms), mean: tf.scalar(0), met: tf.scalar(0) }));
        return { carried: { ...begun, optimizer: scoped(() => optimizer.init(norms as Tree)) } };
      }),
      adapting: { batch, reset, shuffle },
      adapt({ carried: now }: Memory, { weights, x, mask, forward }) {
        const norms = normsOf(weights);
        const { source, mean, met } = t.heldOr(now, {
          source: norms,
          mean: tf.scalar(0) as tf.Tensor,
          met: tf.scalar(0) as tf.Tensor,
        });
        const passOf = (at: Norms): readonly [logits: tf.Tensor, each: tf.Tensor, certain: tf.Tensor] => {
          const logits = masked(forward(x, { weights: withNorms(weights, at), share: 1 }).logits, mask);
          const each = t.entropies(logits);
          return [logits, each, t.below(still(each), tf.mul(t.greatestEntropy(logits, mask), margin))];
        };
        const first = valueAndGrad((at: Norms) => {
          const [logits, each, certain] = passOf(at);
          return [t.weightedMean(each, certain), { logits, certain }] as const;
        }, norms);
        const length = tf.sqrt(sumTree((g) => tf.sum(tf.square(g)) as tf.Scalar, first.grads));
        const up = mapTensors(
          (w, g) => tf.add(w, tf.mul(g!, tf.div(radius, tf.add(length, 1e-12)))),
          norms,
          first.grads,
        );
        const second = valueAndGrad((at: Norms) => {
          const [, each, certain] = passOf(at);
          const counts = tf.mul(certain, first.aux.certain);
          return [t.weightedMean(each, counts), tf.sum(counts)] as const;
        }, up);
        const any = t.as01(tf.greater(second.aux, 0));
        const [next, state] = t.moved(optimizer, second.grads, now.optimizer, norms, lr);
        const later = t.chosen(
          any,
          t.chosen(met, tf.add(tf.mul(mean, 0.9), tf.mul(second.value, 0.1)), second.value),
          mean,
        );
        const known = tf.maximum(met, any);
        const collapsed = tf.mul(known, t.as01(tf.less(later, recovery)));
        return {
          weights: withNorms(weights, t.chosen(collapsed, source, t.chosen(any, next, norms))),
          carried: {
            begun: tf.scalar(1),
            held: { source, mean: later, met: tf.mul(known, tf.sub(1, collapsed)) },
            optimizer: t.chosen(collapsed, t.zerosLike(now.optimizer), t.chosen(any, state, now.optimizer)),
          },
          logits: first.aux.logits,
        };
      },
    };
  },
);
