import { nn, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";
import { type GeluForm, requireGelu } from "../../parts/options.ts";

/** Options of `gelu`. */
export interface GeluOptions {
  /** "tanh" is the usual approximation, as in GPT-2; "exact" has the error function, as PyTorch's default and the vision transformers. Default "tanh". */
  readonly form?: GeluForm;
}

/**
 * The Gaussian error linear unit of each number, `x · Φ(x)` (Hendrycks and Gimpel 2016, arXiv:1606.08415).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(8).gelu({ form: "exact" });
 * ```
 */
export const gelu = sameLayer("gelu", ({ form = "tanh" }: GeluOptions = {}) => {
  requireGelu("gelu", form);
  return {
    options: { form },
    byPlace: true,
    shape: (input) => input,
    apply: (x) => nn.gelu(x, form),
    counterpart: (x, name) =>
      put(tfLayers.layers.activation({ name, activation: form === "exact" ? "gelu" : "gelu_new" }), x),
  };
});
