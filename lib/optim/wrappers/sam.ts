import type { Json } from "../../data/dataset.ts";
import { checked } from "../../data/options.ts";
import { mapTensors, sumTree, type Tree, tf } from "../../engine/index.ts";
import type { KindOf, Optimizer } from "../optimizer.ts";

const defaults = {
  /** How far the gradient is taken from the weights. */
  radius: 0.05,
  /** Whether the distance is measured in shares of each weight, so that it means the same however weights are scaled (ASAM). */
  adaptive: false,
};

/**
 * Sharpness-aware minimisation: an optimizer is given the gradient at the worst point nearby, `w + radius · g / ‖g‖`. Two backward passes a step.
 *
 * What projections make of a gradient says where that point is; the gradient there is the loss's own.
 *
 * Foret et al. 2021, "Sharpness-aware minimization for efficiently improving generalization", arXiv:2010.01412, algorithm 1. `adaptive` is
 * ASAM: `w + radius · w² g / ‖|w| g‖`, Kwon et al. 2021, "ASAM", arXiv:2102.11600, equation 7 by elements, with η = 0.
 *
 * @example
 * ```ts
 * import { sam, sgd } from "thalweg";
 * sam(sgd({ lr: 0.1, momentum: 0.9 }), { radius: 0.05 }).sees; // ["gradient"]
 * ```
 */
export function sam(inner: Optimizer, options: Partial<typeof defaults> = {}): Optimizer {
  const all = checked("sam", defaults, options);
  const { radius, adaptive } = all;
  if (!(radius > 0 && Number.isFinite(radius)))
    throw new RangeError(`sam: a radius above 0 is required, got ${radius}`);
  const spec = { name: "sam", options: { optimizer: inner.toJSON() as unknown as Json, ...all } };
  const made = (optimizer: Optimizer): Optimizer =>
    Object.freeze({
      spec,
      rate: optimizer.rate,
      ...(optimizer.last && { last: optimizer.last }),
      sees: [...new Set(["gradient" as const, ...(optimizer.sees ?? [])])],
      init: (params: Tree) => optimizer.init(params),
      ...(optimizer.shown && { shown: optimizer.shown }),
      update(grads, state, params, rate, seen) {
        if (seen === undefined)
          throw new TypeError("sam: a step that shows its gradient at other weights is required, got none");
        const scaled = adaptive ? mapTensors((g, w) => tf.mul(g, tf.abs(w!)), grads, params) : grads;
        const size = tf.sqrt(sumTree((g) => tf.sum(tf.square(g)) as tf.Scalar, scaled));
        const far = tf.div(radius, tf.add(size, 1e-12));
        const away = (w: tf.Tensor, g: tf.Tensor): tf.Tensor => tf.mul(adaptive ? tf.mul(g, tf.abs(w)) : g, far);
        const worst = seen.gradient(mapTensors((w, g) => tf.add(w, away(w, g!)), params, scaled));
        return optimizer.update(worst, state, params, rate, seen);
      },
      over: (kindOf: KindOf) => made(optimizer.over?.(kindOf) ?? optimizer),
      toJSON: () => spec,
    } satisfies Optimizer);
  return made(inner);
}
