import { needShare } from "../../data/options.ts";
import { mapTensors, tf } from "../../engine/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { averaging } from "../parts/averaging.ts";

const defaults = {
  /** Share of the average that is kept at each step, in [0, 1). */
  decay: 0.999,
  /** Whether the share grows with the steps, as `(1 + t) / (10 + t)` until it is there: a young average forgets where it began. */
  ramp: true,
};

/**
 * An optimizer whose weights are averaged: what predicts is the running mean `x ← decay · x + (1 − decay) · w`, what is trained goes on as it would.
 *
 * Evaluations, probes and the network of a run are of the average; strategies and running statistics are those of what is trained.
 *
 * Polyak and Juditsky 1992; Tarvainen and Valpola 2017, arXiv:1703.01780, section 2. The numbers are those of torch.optim.swa_utils'
 * `get_ema_multi_avg_fn` after the first step, where that copies the weights and this counts from where they began.
 *
 * @example
 * ```ts
 * import { adam, ema } from "thalweg";
 * ema(adam({ lr: 0.01 }), { decay: 0.99 }).rate; // 0.01
 * ```
 */
export function ema(inner: Optimizer, options: Partial<typeof defaults> = {}): Optimizer {
  return averaging("ema", inner, defaults, options, ({ decay, ramp }) => {
    needShare("ema", "decay", decay);
    return (average, weights, taken) => {
      const young = tf.div(tf.add(taken, 1), tf.add(taken, 10));
      const keep = ramp ? tf.minimum(young, decay) : tf.scalar(decay);
      const share = tf.sub(1, keep);
      return mapTensors((x, w) => tf.add(x, tf.mul(tf.sub(w!, x), share)), average, weights);
    };
  });
}
