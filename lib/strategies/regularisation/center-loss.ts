import { mapTensors, tf } from "../../engine/index.ts";
import { currentRows } from "../parts/rows.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly centers: ReadonlyMap<number, Float32Array>;
  readonly tensors: { readonly centers: tf.Tensor; readonly known: tf.Tensor } | undefined;
}

/**
 * Center loss regularisation: new examples' features are pulled to the centers that their classes had, under decision boundaries that stay.
 *
 * Adds `½ · lambda · mean_x ‖f(x) − c_y‖²` over rows whose class has a center, the mean feature of the class at the end of the experience
 * in which it first came. From the second experience on the head is frozen bit for bit.
 *
 * Olpadkar and Gavas 2021, arXiv:2110.11314, eq. 2–4. Meant for domain-incremental streams; composes with `replay`.
 * Differs from the paper: centers are means of the final features of a class's first experience rather than learnt along the way, and the
 * first experience has no center loss.
 *
 * Implements: P099 Center Loss Regularization
 *
 * @example
 * ```ts
 * import { centerLoss } from "thalweg";
 * centerLoss({ lambda: 0.01 });
 * ```
 */
export const centerLoss = strategy(
  "centerLoss",
  {
    /** Strength of the pull. */
    lambda: 0.01,
    /** Whether the head is frozen from the second experience on. */
    freeze: true,
  },
  ({ lambda, freeze }) => {
    requireNumber("centerLoss", "lambda", lambda, 0);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: (): Memory => ({ centers: new Map(), tensors: undefined }),
      loss({ tensors }, step) {
        if (tensors === undefined) return tf.scalar(0);
        const { features, y } = currentRows(step);
        const at = tf.cast(y, "int32");
        const apart = tf.sum(tf.square(tf.sub(features, tf.gather(tensors.centers, at))), -1);
        const counted = tf.gather(tensors.known, at);
        return tf.mul(tf.mean(tf.mul(apart, counted)), lambda / 2) as tf.Scalar;
      },
      weights: ({ tensors }, { before, after }) =>
        tensors === undefined || !freeze ? after : { ...after, head: mapTensors((w) => w, before.head) },
      afterExperience({ centers, tensors }, { train }, context) {
        const fresh = [...new Set(train.labels)].filter((label) => !centers.has(label));
        if (fresh.length === 0) return { centers, tensors };
        const { features } = context.outputs(train);
        const width = features.length / train.length;
        const next = new Map(centers);
        for (const label of fresh) {
          const own = [...train.labels.keys()].filter((i) => train.labels[i] === label);
          const mean = new Float32Array(width);
          for (const i of own) for (let j = 0; j < width; j++) mean[j]! += features[i * width + j]! / own.length;
          next.set(label, mean);
        }
        const rows = new Float32Array(context.columns * width);
        const known = new Float32Array(context.columns);
        for (const [label, mean] of next) {
          rows.set(mean, label * width);
          known[label] = 1;
        }
        return {
          centers: next,
          tensors: { centers: tf.tensor2d(rows, [context.columns, width]), known: tf.tensor1d(known) },
        };
      },
      beforeExperience({ centers, tensors }, _experience, { columns }) {
        if (tensors === undefined || tensors.known.shape[0] === columns) return { centers, tensors };
        const missing = columns - tensors.known.shape[0]!;
        return {
          centers,
          tensors: {
            centers: tf.pad(tensors.centers, [
              [0, missing],
              [0, 0],
            ]),
            known: tf.pad(tensors.known, [[0, missing]]),
          },
        };
      },
    };
  },
  ["boundary", "labels"],
);
