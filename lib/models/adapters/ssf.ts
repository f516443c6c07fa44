import { tf } from "../../engine/index.ts";
import { adapter } from "./adapter.ts";

/**
 * Scales and shifts what each layer with weights gives: `γ ∘ y + β`, beginning as ones and zeros. Merged, they are part of kernel and bias.
 *
 * Lian et al. 2022, "Scaling & shifting your features", arXiv:2210.08823, equations 3 and 5. Differs from the paper: γ and β begin as ones and
 * zeros without noise; normalisations have none, since their own scale and shift can be trained: `trainOnly([{ kind: "norm" }, { kind: "adapter" }])`.
 *
 * @example
 * ```ts
 * import { resnet18, ssf } from "thalweg";
 * resnet18().adapt(ssf()).trainOnly([{ kind: "norm" }, { kind: "adapter" }]);
 * ```
 */
export const ssf = adapter("ssf", {}, { kind: "weight" }, () => ({
  init: (_rng, { output }) => ({ scale: tf.ones([output.at(-1)!]), shift: tf.zeros([output.at(-1)!]) }),
  output: ({ scale, shift }, _input, output) => tf.add(tf.mul(output, scale as tf.Tensor), shift as tf.Tensor),
  merge({ scale, shift }, { kernel, bias, ...rest }) {
    if (bias === undefined)
      throw new TypeError(
        "merged: layers with a bias are required to merge ssf, got one without; make the layer with { bias: true }",
      );
    const by = (of: typeof kernel): tf.Tensor => tf.mul(of as tf.Tensor, scale as tf.Tensor);
    return { ...rest, kernel: by(kernel), bias: tf.add(by(bias), shift as tf.Tensor) };
  },
}));
