import { tf } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import { adapter } from "./adapter.ts";

/**
 * One trained factor for each number that a layer gives: `l ∘ y`, beginning as ones.
 *
 * By default on the keys and values of attention and on what goes into the last product of a block, where the factors are of what comes in,
 * which is the same as of what the inner layer gives. Elsewhere, as `on: "*"`, all factors are of what the layer gives.
 *
 * Liu et al. 2022, "Few-shot parameter-efficient fine-tuning is better and cheaper than in-context learning", arXiv:2205.05638, section 3.3.
 *
 * @example
 * ```ts
 * import { ia3, net } from "thalweg";
 * net().embedding(26, 16).transformer(2).last().adapt(ia3());
 * ```
 */
export const ia3 = adapter("ia3", {}, ["*/key", "*/value", "*/down"], () => {
  const grown = (own: Params, { kernel, bias, ...rest }: Params): Params => {
    if (own.inputs !== undefined) {
      const rows = tf.reshape(own.inputs as tf.Tensor, [-1, 1]);
      return { ...rest, kernel: tf.mul(kernel as tf.Tensor, rows), ...(bias && { bias }) };
    }
    const factor = own.outputs as tf.Tensor;
    const by = (of: Params[string]): tf.Tensor => tf.mul(of as tf.Tensor, factor);
    return { ...rest, kernel: by(kernel!), ...(bias && { bias: by(bias) }) };
  };
  return {
    init(_rng, { path, input, output }): Params {
      return path.endsWith("/down") ? { inputs: tf.ones([input.at(-1)!]) } : { outputs: tf.ones([output.at(-1)!]) };
    },
    output: (own, _input, output) => (own.outputs === undefined ? output : tf.mul(output, own.outputs as tf.Tensor)),
    weights: (own, layer) => (own.inputs === undefined ? layer : grown(own, layer)),
    merge: grown,
  };
});
