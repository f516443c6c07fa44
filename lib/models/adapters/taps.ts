import { needShare } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { straightThrough } from "../parts/gradients.ts";
import { onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * A change of each kernel behind a gate: `W + [g ≥ threshold] · C`, with C and g trained, and a penalty on gates, so that few layers are changed
 * and the others are shared with the network as it was.
 *
 * The gradient passes the step as if it were not there. The penalty is `lambda / layers · Σ |g|`; it stands in the gradient of the gates, not
 * in the loss that is told. C begins as zeros and g as 0.15. For each task of a stream its own, with `taskAdapters`.
 *
 * Implements: P280 TAPS task-adaptive sharing
 *
 * Wallingford et al. 2022, "Task adaptive parameter sharing for multi-task learning", arXiv:2203.16708, equations 2 to 4; threshold and
 * beginning are those of the authors' program. Differs from it: statistics of normalisations are one set.
 *
 * @example
 * ```ts
 * import { from, pretrained, taps } from "thalweg";
 * from(pretrained("resnet-small")).adapt(taps({ lambda: 0.5 }));
 * ```
 */
export const taps = adapter(
  "taps",
  {
    /** Strength of the penalty. */
    lambda: 1,
    /** Gates below it are shut. */
    threshold: 0.1,
  },
  { kind: "weight" },
  ({ lambda, threshold }) => {
    needShare("taps", "threshold", threshold);
    if (!(lambda >= 0)) throw new RangeError(`taps: a lambda of at least 0 is required, got ${lambda}`);
    return onKernels({
      fixed: ["pull"],
      init: (_rng, kernel, { places }) => ({
        change: tf.zerosLike(kernel),
        gate: tf.scalar(0.15),
        pull: tf.scalar(lambda / places),
      }),
      changed({ change, gate, pull }, kernel) {
        const pulled = tf.customGrad((g) => ({
          value: tf.clone(g as tf.Tensor),
          gradFunc: (dy: tf.Tensor) => tf.add(dy, tf.mul(tf.sign(g as tf.Tensor), pull as tf.Tensor)),
        }))(gate as tf.Tensor);
        const open = straightThrough(pulled, (g) => tf.cast(tf.greaterEqual(g, threshold), "float32"));
        return tf.add(kernel, tf.mul(change as tf.Tensor, open));
      },
    });
  },
);
