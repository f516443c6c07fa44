import { needShare, needWhole } from "../../data/options.ts";
import { paths, type Rng, scoped, type Tree, tf, when } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { type Kernels, kernelsIn, withKernels } from "../parts/kernels.ts";
import { boundOf } from "../parts/quantile.ts";
import { type Change, type Step, strategy } from "../strategy.ts";

interface Memory {
  /** 1 where a kernel's number is in use; the steps so far. */
  readonly carried: { readonly mask: Kernels; readonly steps: tf.Tensor };
  /** The step after which the share of zeros is the last one. */
  readonly tensors: { readonly last: tf.Tensor };
}

/**
 * GraNet: while it learns the network is pruned by size, more and more, and every time as many numbers as a share of each layer's are exchanged:
 * the smallest go, and those with the largest gradient among the zeros come in their place.
 *
 * Every `every` steps the share of zeros of all kernels together becomes `initial + (sparsity − initial) (1 − (1 − t/T)³)`; then each kernel gives
 * up `exchanged` of what is left, a share that falls along a cosine to 0.005 at the end of training. What comes begins from 0. From `initial: 0` the network begins dense; otherwise
 * with random zeros, fewer in small layers (Erdős–Rényi kernels). All of this happens in the first experience; after it the zeros stay.
 *
 * Implements: P296 GraNet neuroregeneration
 *
 * Liu et al. 2021, "Sparse training via boosting pruning plasticity with neuroregeneration", arXiv:2106.10404, section 4 and algorithm 1; defaults and the order
 * of pruning and exchange are those of the authors' program. Differs from the program: moments of the optimizer are left as they are.
 *
 * @example
 * ```ts
 * import { granet } from "thalweg";
 * granet({ sparsity: 0.9, initial: 0.5, every: 20 });
 * ```
 */
export const granet = strategy(
  "granet",
  {
    /** The share of zeros at the end, and at the beginning. */
    sparsity: 0.9,
    initial: 0.5,
    /** Steps between changes of what is in use. */
    every: 16,
    /** Share of the experience's steps over which zeros become more. */
    ramp: 0.7,
    /** The share of each kernel's numbers that is exchanged at first; 0: gradual pruning alone. */
    exchanged: 0.5,
  },
  ({ sparsity, initial, every, ramp, exchanged }) => {
    for (const [what, value] of Object.entries({ sparsity, initial, ramp, exchanged }))
      needShare("granet", what, value);
    needWhole("granet", "every", every);
    const total = (last: tf.Tensor): tf.Tensor => tf.div(last, Math.max(ramp, 1e-6));
    /** What is in use after a step: the same for all who ask in it. */
    const next = ({ carried, tensors }: Memory, { before, slope }: Change, { network }: Step): Kernels => {
      const steps = tf.add(carried.steps, 1);
      const open = tf.lessEqual(steps, total(tensors.last));
      const due = tf.logicalAnd(open, tf.equal(tf.mod(steps, every), 0));
      const left = tf.sub(1, tf.minimum(tf.div(steps, tensors.last), 1));
      const share = tf.sub(sparsity, tf.mul(tf.pow(left, 3), sparsity - initial));
      const angle = tf.mul(tf.minimum(tf.div(steps, total(tensors.last)), 1), Math.PI);
      const rate = tf.add(0.005, tf.mul(tf.add(tf.cos(angle), 1), (exchanged - 0.005) / 2));
      const [w, g] = [kernelsIn(network, before, "*"), kernelsIn(network, slope, "*")];
      return when(due, (mask) => changed(mask, w, g, share, exchanged === 0 ? tf.zerosLike(rate) : rate), carried.mask);
    };
    return {
      tokens: true,
      init: ({ weights, network, rng }): Memory => ({
        carried: {
          mask: scoped(() => randomMask(kernelsIn(network, weights, "*"), initial, rng)),
          steps: tf.scalar(0),
        },
        tensors: { last: tf.scalar(1) },
      }),
      beforeExperience({ carried }: Memory, { index, train }, { weights, network, batch, epochs }) {
        const steps = Math.ceil(train.length / batch) * epochs;
        const held: Memory = {
          carried: {
            mask: scoped(() => Object.fromEntries(Object.entries(carried.mask).map(([path, m]) => [path, m.clone()]))),
            steps: carried.steps.clone(),
          },
          // once the first experience is over nothing is due
          tensors: { last: tf.scalar(index === 0 ? Math.max(1, Math.round(ramp * steps)) : 1e-9) },
        };
        if (index > 0) return held;
        return { ...held, weights: scoped(() => masked(weights, kernelsIn(network, weights, "*"), carried.mask)) };
      },
      gradient: ({ carried }: Memory, gradient, { network }) =>
        masked(gradient, kernelsIn(network, gradient, "*"), carried.mask),
      weights: (state: Memory, change, step) =>
        masked(change.after, kernelsIn(step.network, change.after, "*"), next(state, change, step)),
      update: (state: Memory, change, step): Tree =>
        ({ mask: next(state, change, step), steps: tf.add(state.carried.steps, 1) }) as unknown as Tree,
    };
  },
  ["boundary", "length"],
);

/** *Traced.* Weights whose kernels are 0 where a mask is. */
function masked(weights: Weights, kernels: Kernels, mask: Kernels): Weights {
  const own = Object.entries(kernels).map(([path, w]) => [path, tf.mul(w, mask[path]!)]);
  return withKernels(weights, Object.fromEntries(own));
}

/**
 * *Traced.* What is in use next: of all kernels together the share of zeros by size, then of each a share of what is left exchanged for zeros with large
 * gradients.
 */
export function changed(
  mask: Kernels,
  weights: Kernels,
  gradients: Kernels,
  share: tf.Tensor,
  exchanged: tf.Tensor,
): Kernels {
  if (Object.keys(weights).length === 0) return mask;
  const sizes = Object.fromEntries(Object.entries(weights).map(([path, w]) => [path, tf.mul(tf.abs(w), mask[path]!)]));
  const all = tf.concat(Object.values(sizes).map((size) => tf.reshape(size, [-1])));
  const bound = boundOf(all, tf.mul(tf.sub(1, share), all.size));
  return Object.fromEntries(
    Object.entries(sizes).map(([path, size]) => {
      const largest = (of: tf.Tensor, count: tf.Tensor): tf.Tensor =>
        tf.cast(tf.greater(of, boundOf(of, count)), "float32");
      const left = tf.sum(tf.cast(tf.greater(size, bound), "float32"));
      const stays = largest(size, tf.floor(tf.mul(left, tf.sub(1, exchanged))));
      const wish = tf.mul(tf.abs(gradients[path]!), tf.sub(1, stays));
      return [path, tf.maximum(stays, largest(wish, tf.sub(left, tf.sum(stays))))];
    }),
  );
}

/** Random masks with a share of zeros in all: layers keep numbers in proportion to the sum of their sides over their product, at most all. */
export function randomMask(kernels: Kernels, sparsity: number, rng: Rng): Kernels {
  const density = densities(
    paths(kernels as unknown as Tree).map(([, { shape }]) => shape),
    sparsity,
  );
  return Object.fromEntries(
    Object.entries(kernels).map(([path, w], i) => [
      path,
      tf.cast(tf.less(rng.at("mask", i).uniforms(w.shape), density[i]!), "float32"),
    ]),
  );
}

/** The share of numbers that each layer keeps: `ε Σ sides / Π sides`, and 1 where that is more. */
export function densities(shapes: readonly (readonly number[])[], sparsity: number): number[] {
  const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const raw = shapes.map((shape) => shape.reduce((a, b) => a + b, 0) / size(shape));
  const dense = new Set<number>();
  for (;;) {
    let [open, weight] = [0, 0];
    shapes.forEach((shape, i) => {
      if (dense.has(i)) open -= size(shape) * sparsity;
      else {
        open += size(shape) * (1 - sparsity);
        weight += raw[i]! * size(shape);
      }
    });
    const epsilon = weight === 0 ? 0 : open / weight;
    const over = raw.flatMap((share, i) => (!dense.has(i) && share * epsilon > 1 ? [i] : []));
    if (over.length === 0) return raw.map((share, i) => (dense.has(i) ? 1 : share * epsilon));
    const most = Math.max(...over.map((i) => raw[i]!));
    for (const i of over) if (raw[i] === most) dense.add(i);
  }
}
