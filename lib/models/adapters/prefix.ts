import { needOneOf, needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import { adapter } from "./adapter.ts";

/**
 * Prefix tuning: trained keys and values that every place of a sequence can look at, in the attention of each block, before its own.
 *
 * They are drawn as normal numbers of deviation `deviation`; with `hidden` they are what two dense layers make of trained vectors of the
 * block, with a hyperbolic tangent between (reparametrised). It cannot be merged.
 *
 * Li and Liang 2021, "Prefix-tuning: optimizing continuous prompts for generation", arXiv:2101.00190, section 4. Differs from the paper: keys and
 * values of each block have dense layers of their own.
 *
 * @throws RangeError, when a study is made, on a layer that does not make keys or values of attention.
 *
 * @example
 * ```ts
 * import { from, prefix, pretrained } from "thalweg";
 * from(pretrained("vit-small")).adapt(prefix({ length: 5 }));
 * ```
 */
export const prefix = adapter(
  "prefix",
  {
    /** How many keys and values for each block. */
    length: 10,
    /** Units of the layer between; 0 trains the keys and values themselves. */
    hidden: 0,
    /** Deviation of the drawn numbers. */
    deviation: 1,
  },
  ["*/key", "*/value"],
  ({ length, hidden, deviation }) => {
    needWhole("prefix", "length", length);
    needWhole("prefix", "hidden", hidden, 0);
    const vectors = ({ vectors, up, upBias, down, downBias }: Params): tf.Tensor => {
      if (up === undefined) return vectors as tf.Tensor;
      const inner = tf.tanh(tf.add(tf.matMul(vectors as tf.Tensor2D, up as tf.Tensor2D), upBias as tf.Tensor));
      return tf.add(tf.matMul(inner as tf.Tensor2D, down as tf.Tensor2D), downBias as tf.Tensor);
    };
    return {
      init(rng, { path, output }): Params {
        needOneOf("prefix", "on", path.split("/").at(-1)!, ["key", "value"]);
        const width = output.at(-1)!;
        const drawn = (name: string, rows: number, columns: number, wide = 1 / Math.sqrt(rows)): tf.Tensor =>
          rng.at(name).normals([rows, columns], 0, wide);
        const own = { vectors: drawn("vectors", length, width, deviation) };
        if (hidden === 0) return own;
        return {
          ...own,
          up: drawn("up", width, hidden),
          upBias: tf.zeros([hidden]),
          down: drawn("down", hidden, width),
          downBias: tf.zeros([width]),
        };
      },
      join(own, sequence) {
        const [n, , width] = sequence.shape as [number, number, number];
        const before = tf.tile(tf.reshape(vectors(own), [1, length, width]), [n, 1, 1]);
        return tf.concat([before, sequence], 1);
      },
    };
  },
);
