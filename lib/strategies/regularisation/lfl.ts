import { mapTensors, tf } from "../../engine/index.ts";
import { meanSquares } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { recalled, type Snapshot, snapshot } from "../parts/snapshot.ts";
import { requireNumber, strategy } from "../strategy.ts";

/**
 * Less-forgetting learning: from the second experience on the head is frozen and features are held to what they were.
 *
 * Adds `½ · lambda · mean_x ‖f(x) − f*(x)‖²` on the new examples, f* being the features before the experience; the head's tensors stay the
 * same bit for bit.
 *
 * Jung et al. 2016, arXiv:1607.00122, eq. 2 and 4. Meant for domain-incremental streams: a frozen head learns no new classes.
 * Differs from the paper: the squared distance is a sum over features and a mean over rows.
 *
 * @example
 * ```ts
 * import { lfl } from "thalweg";
 * lfl({ lambda: 0.01 });
 * ```
 */
export const lfl = strategy(
  "lfl",
  {
    /** Strength of the pull on features. */
    lambda: 0.01,
  },
  ({ lambda }) => {
    requireNumber("lfl", "lambda", lambda, 0);
    return {
      tokens: true,
      init: (): { tensors: { teacher: Snapshot } | undefined } => ({ tensors: undefined }),
      beforeExperience: (_state, { index }, context) => ({
        tensors: index === 0 ? undefined : { teacher: snapshot(context) },
      }),
      loss({ tensors }, step) {
        if (tensors === undefined) return tf.scalar(0);
        const { x, task, features } = currentRows(step);
        const width = features.size / features.shape[0]!;
        const apart = meanSquares(features, recalled(tensors.teacher, step, x, task).features);
        return tf.mul(apart, (lambda * width) / 2) as tf.Scalar;
      },
      weights: ({ tensors }, { before, after }) =>
        tensors === undefined ? after : { ...after, head: mapTensors((w) => w, before.head) },
    };
  },
  ["boundary"],
);
