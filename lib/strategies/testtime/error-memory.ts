import { type Tree, tf } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** The features of examples, what was wrong about their predictions, and whether a place is filled. */
interface Memory {
  readonly carried: { readonly keys: tf.Tensor; readonly errors: tf.Tensor; readonly filled: tf.Tensor };
}

/**
 * An error memory: a fast memory of recent examples and of what was wrong about their predictions corrects the slow network at once.
 *
 * With every step the features and the errors `onehot(y) − p` of the batch take the place of the oldest of `slots`. An example is
 * predicted as `p + scale · Σ aᵢ eᵢ`, where a is a softmax, over the `nearest` slots, of the cosines of features divided by
 * `temperature`. Train with a small learning rate, or with the network frozen, and the memory follows a drift that the network does not.
 *
 * Implements: P000 ReLoop2
 *
 * Zhu et al. 2023, arXiv:2306.08808, eq. 3–7 (the fast path of its complementary learning system).
 * Differs from the paper: nearest slots are found exactly, not by hashes; predictions are of any number of classes.
 *
 * @example
 * ```ts
 * import { errorMemory, mlp, sea } from "thalweg";
 * sea({ concepts: [0, 1], examples: 100 }).learn(mlp()).by(errorMemory({ slots: 200 }));
 * ```
 */
export const errorMemory = strategy(
  "errorMemory",
  {
    /** Examples that are remembered. */
    slots: 500,
    /** Slots that correct an example, at most. */
    nearest: 20,
    temperature: 0.05,
    /** How much of the error is added. */
    scale: 0.5,
  },
  ({ slots, nearest, temperature, scale }) => {
    requireWhole("errorMemory", "slots", slots, 1);
    requireWhole("errorMemory", "nearest", nearest, 1);
    requireNumber("errorMemory", "temperature", temperature, 1e-6);
    requireNumber("errorMemory", "scale", scale, 0);
    const flat = (rows: tf.Tensor): tf.Tensor2D => {
      const matrix = tf.reshape(rows, [rows.shape[0]!, rows.size / rows.shape[0]!]);
      return tf.div(matrix, tf.maximum(tf.norm(matrix, 2, -1, true), 1e-12)) as tf.Tensor2D;
    };
    const wide = (errors: tf.Tensor, columns: number): tf.Tensor =>
      tf.pad(errors, [
        [0, 0],
        [0, columns - errors.shape[1]!],
      ]);
    return {
      tokens: "it remembers one error for each example",
      classes: true,
      rowwise: true,
      init({ network, columns }): Memory {
        const width = network.width.reduce((a, b) => a * b, 1);
        return {
          carried: { keys: tf.zeros([slots, width]), errors: tf.zeros([slots, columns]), filled: tf.zeros([slots]) },
        };
      },
      beforeExperience(state: Memory, _experience, { columns }): Memory {
        const { errors, ...rest } = state.carried;
        return errors.shape[1] === columns ? state : { carried: { ...rest, errors: wide(errors, columns) } };
      },
      update({ carried: { keys, errors, filled } }: Memory, _change, { features, logits, y, mask, current }): Tree {
        const rows = Math.min(current, slots);
        const first = (t: tf.Tensor): tf.Tensor => tf.slice(t, 0, rows);
        const columns = logits.shape[1]!;
        const p = tf.softmax(masked(logits, mask));
        const wrong = tf.sub(tf.oneHot(tf.cast(tf.maximum(y, 0), "int32"), columns), p);
        const labelled = tf.cast(tf.greaterEqual(y, 0), "float32");
        const put = (fresh: tf.Tensor, old: tf.Tensor): tf.Tensor => tf.slice(tf.concat([first(fresh), old]), 0, slots);
        return { keys: put(flat(features), keys), errors: put(wrong, errors), filled: put(labelled, filled) };
      },
      predict({ carried: { keys, errors, filled } }: Memory, { features, logits }) {
        const like = tf.sub(
          tf.matMul(flat(features), keys as tf.Tensor2D, false, true),
          tf.mul(tf.sub(1, filled), 1e6),
        );
        const count = Math.min(nearest, slots);
        const last = tf.slice(tf.topk(like, count).values, [0, count - 1], [like.shape[0]!, 1]);
        const near = tf.mul(tf.cast(tf.greaterEqual(like, last), "float32"), filled);
        const e = tf.mul(tf.exp(tf.div(tf.sub(like, tf.max(like, 1, true)), temperature)), near);
        const share = tf.div(e, tf.maximum(tf.sum(e, 1, true), 1e-12)) as tf.Tensor2D;
        const change = tf.mul(tf.matMul(share, errors as tf.Tensor2D), scale);
        return tf.log(tf.maximum(tf.add(tf.softmax(logits), change), 1e-8));
      },
    };
  },
);
