import type { tf } from "../../../engine/index.ts";
import { drawBias } from "../../initial.ts";
import { layer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import {
  kindOfTemplate,
  mixedKernel,
  type TemplateOptions,
  templateOptions,
  templateParams,
} from "../../parts/templates.ts";
import { conv } from "./conv.ts";

/** Options of `templateConv`: of a convolution, and of what its filters are made of. */
export interface TemplateConvOptions extends TemplateOptions {
  /** Step between windows, in pixels. Default 1. */
  readonly stride?: number;
  /** As of `conv`. Default "same". */
  readonly pad?: "same" | "valid" | number;
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
}

/**
 * A convolution whose filters are linear combinations of templates, which are trained with their coefficients: `kernel = Σ cₖ Tₖ`.
 *
 * It is a layer to grow: `expand.recombine` makes a kernel of four blocks out of two networks, of which the new ones are other combinations of the same
 * templates. Takes images `[n, height, width, channels]`, gives `[n, height′, width′, filters]`.
 *
 * Pham et al. 2024, arXiv:2311.04251, section 3.1.
 *
 * @throws RangeError where the grid does not divide channels and filters.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().templateConv(8, 3, { templates: 2 }).relu().globalPool().features([6, 6, 1]); // [8]
 * ```
 */
export const templateConv = layer(
  "templateConv",
  { accepts: ["image"], gives: "image" },
  (filters: number, window: number, options: TemplateConvOptions = {}) => {
    const { stride = 1, pad = "same", bias = true } = options;
    const mixed = templateOptions("templateConv", options);
    const plain = conv(filters, window, { stride, pad, bias });
    return {
      options: { filters, window, stride, pad, bias, ...mixed },
      shape: (input) => plain.shape(input),
      init(rng, input): Params {
        const shape = [window, window, input[2]!, filters];
        const own = templateParams("templateConv", rng, shape, mixed);
        return bias ? { ...own, bias: drawBias("torch", rng.at("bias"), filters, window * window * input[2]!) } : own;
      },
      apply(x, params, mode) {
        const kernel = mixedKernel(params, mixed);
        return plain.apply(x, bias ? { kernel, bias: params.bias as tf.Tensor } : { kernel }, mode);
      },
      kindOf: kindOfTemplate,
    };
  },
);
