import { leaves, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { requireNumber } from "../parts/checks.ts";
import { bound, maskedGradient, movedWhere } from "../parts/sparse.ts";
import { strategy } from "../strategy.ts";

/** What steps change: which numbers are trained, and the steps of this experience. */
type Chosen = { readonly mask: Params; readonly steps: tf.Tensor };

interface Memory {
  readonly carried?: Chosen;
  /** Numbers below this are small, and after this step they are chosen again. */
  readonly tensors: { readonly small: tf.Tensor; readonly again: tf.Tensor };
}

/**
 * SaRA: only the smallest numbers of a network's kernels are trained, which matter least to what it knows, and the head.
 *
 * The share `fraction` of all kernels' numbers with the smallest magnitudes when the run begins. After the share `again` of an experience's steps those that are still
 * that small are trained on: what has grown is kept. `nuclear` times the sum of the singular values of each kernel's trained part is added to what is minimised, so that
 * the part has a low rank; it stands in the gradient, not in the loss that is told.
 *
 * Implements: P446 SaRA
 *
 * Hu et al. 2024, "SaRA: high-efficient diffusion model fine-tuning with progressive sparse low-rank adaptation", arXiv:2409.06633, sections 4.1
 * to 4.3; the second choice is that of the authors' program. Differs from it: the penalty is on all kernels at every step, not on one drawn,
 * and the slope of the sum is found by 10 rounds of Newton and Schulz, which leaves out directions whose singular values are very small.
 *
 * @example
 * ```ts
 * import { sara } from "thalweg";
 * sara({ fraction: 0.1 });
 * ```
 */
export const sara = strategy(
  "sara",
  {
    /** Share of the kernels' numbers that are trained, in [0, 1]. */
    fraction: 0.1,
    /** Strength of the penalty on the rank. */
    nuclear: 0,
    /** Share of an experience's steps after which is chosen again; 1 never does. */
    again: 0.5,
  },
  ({ fraction, nuclear, again }) => {
    requireNumber("sara", "fraction", fraction, 0, 1);
    requireNumber("sara", "nuclear", nuclear, 0);
    requireNumber("sara", "again", again, 0, 1);
    const isSmall = (w: tf.Tensor, small: tf.Tensor): tf.Tensor =>
      w.rank < 2 ? tf.zerosLike(w) : tf.cast(tf.lessEqual(tf.abs(w), small), "float32");
    return {
      tokens: true,
      init({ weights }): Memory {
        const kernels = leaves(weights.model as Tree).filter(({ rank }) => rank > 1);
        const small = bound(
          kernels.map((w) => Float32Array.from(w.dataSync(), Math.abs)),
          fraction,
          "smallest",
        );
        const tensors = { small: tf.scalar(Math.max(small, -1)), again: tf.scalar(0) };
        const mask = scoped(() => mapTensors((w) => isSmall(w, tensors.small), weights.model));
        return { carried: { mask, steps: tf.scalar(0) }, tensors };
      },
      beforeExperience({ carried, tensors }: Memory, { train }, { batch, epochs }): Memory {
        const steps = Math.ceil(train.length / batch) * epochs;
        const at = again === 1 ? -1 : Math.max(1, Math.round(again * steps));
        return {
          carried: { mask: mapTensors((m) => m.clone(), carried!.mask), steps: tf.scalar(0) },
          tensors: { small: tensors.small.clone(), again: tf.scalar(at) },
        };
      },
      gradient({ carried }: Memory, gradient, { weights }) {
        const { mask } = carried!;
        if (nuclear === 0) return maskedGradient(gradient, mask);
        const model = mapTensors(
          (g: tf.Tensor, w?: tf.Tensor, m?: tf.Tensor) =>
            g.rank < 2 ? g : tf.add(g, tf.mul(slopeOfNuclear(tf.mul(w!, m!)), nuclear)),
          gradient.model,
          weights.model,
          mask,
        );
        return maskedGradient({ ...gradient, model }, mask);
      },
      weights: ({ carried }: Memory, { before, after }) => movedWhere(before, after, carried!.mask),
      update({ carried, tensors }: Memory, { after }): Tree {
        const steps = tf.add(carried!.steps, 1);
        const now = tf.equal(steps, tensors.again);
        const mask = mapTensors(
          (m: tf.Tensor, w?: tf.Tensor) =>
            tf.where(tf.logicalAnd(now, tf.onesLike(m).toBool()), isSmall(w!, tensors.small), m),
          carried!.mask,
          after.model,
        );
        return { mask, steps } as unknown as Tree;
      },
    };
  },
  ["boundary", "length"],
);

/** *Traced.* `U Vᵀ` of a kernel's singular value decomposition: the slope of the sum of its singular values. */
function slopeOfNuclear(of: tf.Tensor): tf.Tensor {
  const flat = tf.reshape(of, [-1, of.shape.at(-1)!]) as tf.Tensor2D;
  const tall = flat.shape[0] > flat.shape[1];
  let x = tf.div(flat, tf.maximum(tf.norm(flat), 1e-12)) as tf.Tensor2D;
  for (let round = 0; round < 10; round++) {
    const square = tf.matMul(x, x, tall, !tall);
    const cubed = tall ? tf.matMul(x, square) : tf.matMul(square, x);
    x = tf.sub(tf.mul(x, 1.5), tf.mul(cubed, 0.5)) as tf.Tensor2D;
  }
  return tf.reshape(x, of.shape);
}
