import type { tf } from "../../../engine/index.ts";
import { drawBias } from "../../initial.ts";
import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import {
  kindOfTemplate,
  mixedKernel,
  type TemplateOptions,
  templateOptions,
  templateParams,
} from "../../parts/templates.ts";
import { dense } from "./dense.ts";

/** Options of `templateDense`. */
export interface TemplateDenseOptions extends TemplateOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
}

/**
 * A fully connected layer whose kernel is a linear combination of templates, which are trained with their coefficients: `kernel = Σ cₖ Tₖ`.
 *
 * It is a layer to grow: see `expand.recombine`. Takes vectors `[n, d]` and sequences `[n, length, d]`.
 *
 * Pham et al. 2024, arXiv:2311.04251, section 3.1.
 *
 * @throws RangeError where the grid does not divide inputs and units.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().templateDense(4, { templates: 3 }).summary([5])[0]!.parameters; // 67
 * ```
 */
export const templateDense = sameLayer(
  "templateDense",
  (units: number, options: TemplateDenseOptions = {}) => {
    const { bias = true } = options;
    const mixed = templateOptions("templateDense", options);
    const plain = dense(units, { bias });
    return {
      options: { units, bias, ...mixed },
      byPlace: true,
      shape: (input) => plain.shape(input),
      init(rng, input): Params {
        const inputs = input.at(-1)!;
        const own = templateParams("templateDense", rng, [inputs, units], mixed);
        return bias ? { ...own, bias: drawBias("torch", rng.at("bias"), units, inputs) } : own;
      },
      apply(x, params, mode) {
        const kernel = mixedKernel(params, mixed);
        return plain.apply(x, bias ? { kernel, bias: params.bias as tf.Tensor } : { kernel }, mode);
      },
      kindOf: kindOfTemplate,
    };
  },
  ["vector", "sequence"],
);
