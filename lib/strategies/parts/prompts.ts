/** Trained vectors among those that a frozen network's attention looks at. */
import { tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import type { Pass, Prediction } from "../strategy.ts";
import type { BlockPath } from "./blocks.ts";
import { normalised } from "./distillation.ts";
import { still } from "./still.ts";

/** What prompts are chosen by: the features that the network gives without any, through which nothing is learnt. */
export function queryOf(pass: Pick<Pass, "plain" | "statistics">): tf.Tensor2D {
  return still(pass.plain({ frozen: pass.statistics }).features) as tf.Tensor2D;
}

/** `[n, keys]`: the cosines of rows and keys. */
export function cosines(rows: tf.Tensor, keys: tf.Tensor): tf.Tensor2D {
  return tf.matMul(normalised(rows) as tf.Tensor2D, normalised(keys) as tf.Tensor2D, false, true);
}

/** `[…, size]`: 1 at the place that each whole number says; any size, also 1. */
export function marked(at: tf.Tensor, size: number): tf.Tensor {
  return tf.cast(tf.equal(tf.expandDims(at, -1), tf.range(0, size, 1, "int32")), "float32");
}

/**
 * `[n, count, size]`: 1 where a member of a pool is the one with the largest, the next largest, … of a row's scores. No gradient flows through
 * it.
 */
export function chosen(scores: tf.Tensor2D, count: number): tf.Tensor3D {
  const size = scores.shape[1];
  return tf.customGrad((given) => ({
    value: marked(tf.topk(given as tf.Tensor, count).indices, size),
    gradFunc: () => tf.zeros(scores.shape),
  }))(scores) as tf.Tensor3D;
}

/** `[n, count, …]`: the `count` members of a pool `[size, …]` with the largest scores `[n, size]`, and `[n, count, size]` which these are. */
export function largest(
  pool: tf.Tensor,
  scores: tf.Tensor2D,
  count: number,
): { readonly members: tf.Tensor; readonly which: tf.Tensor } {
  const [n, size] = scores.shape;
  const which = chosen(scores, count);
  const flat = tf.matMul(
    tf.reshape(which, [n * count, size]) as tf.Tensor2D,
    tf.reshape(pool, [size, -1]) as tf.Tensor2D,
  );
  return { members: tf.reshape(flat, [n, count, ...pool.shape.slice(1)]), which };
}

/**
 * Puts vectors `[n, count, width]` before the sequence that comes into the first block, where they stay to the end. What makes one vector of
 * the sequence then gives the mean of theirs, or with "rest" what it makes of the other places.
 */
export function promptedAt(first: BlockPath, prompts: tf.Tensor, read: "prompts" | "rest"): Pick<Within, "around"> {
  const [, count, width] = prompts.shape as [number, number, number];
  let inside = false;
  return {
    around(path, x, run) {
      if (path.join("/") === first) {
        inside = true;
        return run(tf.concat([prompts, x], 1));
      }
      const y = run(x);
      if (!inside || y.rank === 3) return y;
      inside = false;
      const [n, places] = x.shape as [number, number];
      if (read === "rest") return run(tf.slice(x, [0, count, 0], [n, places - count, width]));
      return tf.mean(tf.slice(x, [0, 0, 0], [n, count, width]), 1);
    },
  };
}

/** Keys and values, each `[n, count, width]`, or `[count, width]` where they are the same for all rows. */
export interface Prefix {
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
}

/** Puts keys and values before those of some layers of attention: prefix tuning (Li and Liang 2021, arXiv:2101.00190). */
export function prefixedAt(prefixes: Readonly<Record<BlockPath, Prefix>>): Pick<Within, "attended"> {
  const before = (own: tf.Tensor, prefix: tf.Tensor): tf.Tensor => {
    const [n] = own.shape as [number];
    const rows = prefix.rank === 3 ? prefix : tf.tile(tf.expandDims(prefix, 0), [n, 1, 1]);
    return tf.concat([rows, own], 1);
  };
  return {
    attended(path, key, value) {
      const own = prefixes[path.join("/")];
      return own === undefined ? [key, value] : [before(key, own.key), before(value, own.value)];
    },
  };
}

/** The tensors that a method trains beside the network. */
export function addedBy<T>({ weights }: Pick<Pass | Prediction, "weights">, name: string): T {
  return weights.added![name] as T;
}

/** Weights with other tensors in the place of those that a method trains beside the network. */
export function withAdded(weights: Weights, name: string, own: Params): Weights {
  return { ...weights, added: { ...weights.added, [name]: own } };
}
