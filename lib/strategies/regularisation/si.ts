import { cloneTree, disposeTree, mapTensors, scoped, sumTree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { type Anchor, pull, widenedLike, zerosFor } from "../parts/anchor.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: Anchor;
  /** The path integral of this experience: `Σ −gradient · movement`. */
  readonly carried: Weights;
}

/**
 * Synaptic intelligence: weights whose movement lowered the loss of past tasks are pulled back to where those tasks left them.
 *
 * Adds `c · Σ_i Ω_i (θ_i − θ*_i)²`, without a ½. During an experience `W_i ← W_i − g_i · Δθ_i` at every step, with g the gradient that
 * the optimizer saw (penalties included) and Δθ the step it made; at its end `Ω_i ← Ω_i + W_i / (Δ_i² + epsilon)`, with Δ the movement
 * over the whole experience.
 *
 * Zenke, Poole and Ganguli 2017, arXiv:1703.04200, eq. 3–5. `most` caps Ω_i in the penalty, as Avalanche does at 0.001, and `clip` the
 * gradient, as the code of Buzzega et al. 2020 does at 1; the paper has neither.
 * Differs from the paper: W may be negative, as in van de Ven et al. 2022; the authors' code replaces negative sums by 0.
 *
 * @example
 * ```ts
 * import { si } from "thalweg";
 * si({ c: 10, epsilon: 0.1 });
 * ```
 */
export const si = strategy(
  "si",
  {
    /** Strength of the penalty. */
    c: 1,
    /** Added to the squared movement. */
    epsilon: 0.1,
    /** Cap on the importance of a weight; 0 sets none. */
    most: 0,
    /** Cap on each number of the gradient, penalty included; 0 sets none. */
    clip: 0,
  },
  ({ c, epsilon, most, clip }) => {
    requireNumber("si", "c", c, 0);
    requireNumber("si", "epsilon", epsilon, 1e-12);
    requireNumber("si", "most", most, 0);
    requireNumber("si", "clip", clip, 0);
    return {
      tokens: true,
      role: "importance",
      init: ({ weights }): Memory => ({
        tensors: { importance: zerosFor(weights), center: cloneTree(weights) },
        carried: zerosFor(weights),
      }),
      beforeExperience: ({ tensors }, _experience, { weights }): Memory => ({
        tensors: { importance: widenedLike(tensors.importance, weights), center: cloneTree(weights) },
        carried: zerosFor(weights),
      }),
      loss({ tensors: { importance, center } }, { weights }) {
        const capped = most === 0 ? importance : mapTensors((sum) => tf.minimum(sum, most), importance);
        return pull({ importance: capped, center }, weights, 2 * c);
      },
      ...(clip > 0 && {
        clips: true,
        gradient: (_state: Memory, gradient: Weights) =>
          mapTensors((g: tf.Tensor) => tf.clipByValue(g, -clip, clip), gradient),
      }),
      update: ({ carried }, { before, after, gradient }) =>
        mapTensors((path, a, b, g) => tf.sub(path, tf.mul(g!, tf.sub(b!, a!))), carried, before, after, gradient),
      afterExperience({ tensors, carried }, _experience, { weights }) {
        const added = scoped(() =>
          mapTensors(
            (path, now, then) => tf.div(path, tf.add(tf.square(tf.sub(now!, then!)), epsilon)),
            carried,
            weights,
            tensors.center,
          ),
        );
        const importance = scoped(() => mapTensors((sum, more) => tf.add(sum, more!), tensors.importance, added));
        disposeTree(added);
        const capped = most === 0 ? null : share(importance, most);
        return {
          tensors: { importance, center: cloneTree(weights) },
          carried,
          notes:
            capped !== null && capped > 0.99
              ? [
                  `the cap of ${most} is active on ${(100 * capped).toFixed(1)} % of the weights that matter; raise \`most\``,
                ]
              : [],
        };
      },
    };
  },
  ["boundary"],
);

/** The share of the positive numbers that are at a cap or above. */
function share(tree: Weights, most: number): number {
  const count = (pick: (t: tf.Tensor) => tf.Tensor): number => {
    const total = tf.tidy(() => sumTree((t) => tf.sum(tf.cast(pick(t), "float32")) as tf.Scalar, tree));
    const [number] = total.dataSync();
    total.dispose();
    return number!;
  };
  return (
    count((t) => tf.greaterEqual(t, most)) /
    Math.max(
      1,
      count((t) => tf.greater(t, 0)),
    )
  );
}
