import { needShare } from "../../data/options.ts";
import { scoped, type Tree, tf } from "../../engine/index.ts";
import { type Kernels, kernelsIn, withKernels } from "../parts/kernels.ts";
import { boundOf, straightThrough } from "../parts/quantile.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly carried: { readonly steps: tf.Tensor };
  /** The steps over which zeros become more; 1 once the weights are those with zeros. */
  readonly tensors: { readonly ramp: tf.Tensor; readonly done: tf.Tensor };
}

/**
 * ST-3: the network runs with soft-thresholded kernels, whose gradient goes straight through to the kernels as they are, and the share of zeros
 * becomes larger over the first experience.
 *
 * The threshold θ is the size below which the share of the numbers of all kernels lies; `w` becomes `sign(w) (|w| − θ)₊`, and what each unit or
 * filter loses in mean size is multiplied back. In step t the share is `sparsity · (1 − (1 − t/T)³)`, T being `ramp` of the experience's steps. At its
 * end the thresholded kernels take the place of the others, and what is 0 stays 0.
 *
 * Implements: P233 ST-3 sparse training
 *
 * Vanderschueren and De Vleeschouwer 2022, "Are straight-through gradients and soft-thresholding all you need for sparse training?",
 * arXiv:2212.01076, section 3; rescaling (1.01 / (kept + 0.01)) and ramp are those of the authors' program.
 * Differs from the paper: the head is not thresholded, and zeros begin with the first step.
 *
 * @example
 * ```ts
 * import { st3 } from "thalweg";
 * st3({ sparsity: 0.95 });
 * ```
 */
export const st3 = strategy(
  "st3",
  {
    /** The share of zeros at the end, in [0, 1). */
    sparsity: 0.9,
    /** Share of the experience's steps over which it becomes so large, in (0, 1]. */
    ramp: 0.5,
    /** Whether sizes are compared in deviations of how a layer begins (1/√(inputs + units)), as ST-3σ does. */
    sigma: false,
  },
  ({ sparsity, ramp, sigma }) => {
    needShare("st3", "sparsity", sparsity);
    requireNumber("st3", "ramp", ramp, 1e-6, 1);
    return {
      tokens: true,
      rowwise: true,
      init: (): Memory => ({
        carried: { steps: tf.scalar(0) },
        tensors: { ramp: tf.scalar(1), done: tf.scalar(0) },
      }),
      beforeExperience({ carried, tensors }: Memory, { index, train }, { batch, epochs }): Memory {
        const steps = Math.ceil(train.length / batch) * epochs;
        return {
          carried: { steps: carried.steps.clone() },
          tensors: {
            ramp: tf.scalar(Math.max(1, Math.round(ramp * steps))),
            done: index === 0 ? tf.scalar(0) : tensors.done.clone(),
          },
        };
      },
      forward({ carried, tensors }: Memory, { plain, weights, network }) {
        if (tensors === undefined || carried === undefined) return plain();
        const kernels = kernelsIn(network, weights, "*");
        const thin = thresholded(kernels, shareAt(carried.steps, tensors.ramp, sparsity), sigma);
        const own = Object.entries(kernels).map(([path, w]) => [
          path,
          straightThrough(w, (now) => tf.where(tf.greater(tensors.done, 0), now, thin[path]!)),
        ]);
        return plain(withKernels(weights, Object.fromEntries(own)));
      },
      weights({ tensors }: Memory, { before, after }, { network }) {
        const was = kernelsIn(network, before, "*");
        const now = Object.entries(kernelsIn(network, after, "*")).map(([path, w]) => {
          const zero = tf.logicalAnd(tf.greater(tensors.done, 0), tf.equal(was[path]!, 0));
          return [path, tf.where(zero, tf.zerosLike(w), w)];
        });
        return withKernels(after, Object.fromEntries(now));
      },
      update: ({ carried }: Memory): Tree => ({ steps: tf.add(carried.steps, 1) }) as unknown as Tree,
      afterExperience({ carried, tensors }: Memory, { index }, { weights, network }) {
        const next = {
          carried: { steps: carried.steps.clone() },
          tensors: { ramp: tensors.ramp.clone(), done: tf.scalar(1) },
        };
        if (index > 0) return next;
        const thin = scoped(() => {
          const share = shareAt(carried.steps, tensors.ramp, sparsity);
          return withKernels(weights, thresholded(kernelsIn(network, weights, "*"), share, sigma));
        });
        return { ...next, weights: thin };
      },
    };
  },
  ["boundary", "length"],
);

/** *Traced.* The share of zeros after some steps. */
function shareAt(steps: tf.Tensor, ramp: tf.Tensor, last: number): tf.Tensor {
  const left = tf.sub(1, tf.minimum(tf.div(steps, ramp), 1));
  return tf.mul(tf.sub(1, tf.pow(left, 3)), last);
}

/** *Traced.* Kernels of which a share of all numbers, the smallest, are 0, and the others as much smaller, rescaled by units. */
export function thresholded(kernels: Kernels, share: tf.Tensor, sigma: boolean): Kernels {
  if (Object.keys(kernels).length === 0) return kernels;
  const deviation = (w: tf.Tensor): number => (sigma ? 1 / Math.sqrt(w.shape.reduce((a, b) => a + b, 0)) : 1);
  const sizes = tf.concat(Object.values(kernels).map((w) => tf.reshape(tf.div(tf.abs(w), deviation(w)), [-1])));
  const bound = boundOf(sizes, tf.mul(tf.sub(1, share), sizes.size));
  return Object.fromEntries(
    Object.entries(kernels).map(([path, w]) => {
      const least = tf.where(tf.greater(share, 0), tf.mul(bound, deviation(w)), tf.zerosLike(bound));
      const size = tf.abs(w);
      const stays = tf.cast(tf.greater(tf.div(size, deviation(w)), bound), "float32");
      const axes = w.shape.slice(0, -1).map((_, i) => i);
      const mean = (of: tf.Tensor): tf.Tensor => tf.add(tf.mean(of, axes, true), 1e-6);
      const kept = tf.div(mean(tf.mul(size, stays)), mean(size));
      const soft = tf.mul(tf.sub(w, tf.mul(tf.sign(w), least)), stays);
      return [path, tf.mul(soft, tf.div(1.01, tf.add(kept, 0.01)))];
    }),
  );
}
