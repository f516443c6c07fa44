import { needWhole } from "../../data/options.ts";
import { mapTensors, tf } from "../../engine/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { averaging } from "../parts/averaging.ts";

const defaults = {
  /** Steps of the run before the first weights that count; until then what is trained predicts. */
  from: 0,
  /** Steps from one that counts to the next. */
  every: 1,
};

/**
 * An optimizer whose weights are averaged: what predicts is the plain mean of the weights after every `every`-th step from step `from` on.
 * With a rate that stays up the path goes round a wide minimum, whose middle the mean is.
 *
 * Evaluations, probes and the network of a run are of the mean; strategies and running statistics are those of what is trained: the
 * paper's second pass for batch normalisation is not made.
 *
 * Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization", arXiv:1803.05407, algorithm 1; the numbers are
 * those of torch.optim.swa_utils.AveragedModel.
 *
 * @example
 * ```ts
 * import { sgd, swa } from "thalweg";
 * swa(sgd({ lr: 0.05, momentum: 0.9 }), { from: 100, every: 10 }).rate; // 0.05
 * ```
 */
export function swa(inner: Optimizer, options: Partial<typeof defaults> = {}): Optimizer {
  return averaging("swa", inner, defaults, options, ({ from, every }) => {
    needWhole("swa", "from", from, 0);
    needWhole("swa", "every", every);
    return (average, weights, taken) => {
      const since = tf.sub(taken, from + 1);
      const count = tf.floor(tf.div(since, every));
      const due = tf.equal(tf.mod(since, every), 0);
      const share = tf.where(
        tf.less(since, 0),
        tf.scalar(1),
        tf.where(due, tf.div(1, tf.add(tf.maximum(count, 0), 1)), tf.scalar(0)),
      );
      return mapTensors((x, w) => tf.add(x, tf.mul(tf.sub(w!, x), share)), average, weights);
    };
  });
}
