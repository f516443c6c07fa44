import { sameLayer } from "../../layer.ts";
import { conditionIn } from "../../parts/conditioned.ts";
import { modulated, modulationParams, modulations, standardised } from "../../parts/modulation.ts";

/** Options of `modulate`. */
export interface ModulateOptions {
  /** Whether the numbers of each place are brought to mean 0 and variance 1 first. Default false. */
  readonly norm?: boolean;
}

/**
 * Scales and shifts each number, or each channel, by what the time and the class ask for: `x · (1 + scale) + shift`.
 *
 * Scale and shift are a product with what `conditions` remembered, after a sigmoid linear unit; they begin at 0. Perez et al. 2018, "FiLM", arXiv:1709.07871;
 * with `norm` the adaptive layer normalisation of Peebles and Xie 2023, arXiv:2212.09748, section 3.2.
 *
 * @throws RangeError where no `conditions` are before it.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conditions(8).conv(4, 3).modulate().relu().conv(1, 3).flatten().features([8, 8, 1]); // [64]
 * ```
 */
export const modulate = sameLayer("modulate", ({ norm = false }: ModulateOptions = {}) => ({
  options: { norm },
  shape(input, remembered) {
    conditionIn("modulate", "condition", remembered);
    return input;
  },
  init: (_rng, input, remembered) => ({
    modulation: modulationParams(conditionIn("modulate", "condition", remembered)[0]!, 2 * input.at(-1)!),
  }),
  apply(x, params, mode, remembered) {
    const condition = conditionIn("modulate", "condition", remembered);
    const [shift, scale] = modulations(condition, params, mode, 2, x.rank);
    return modulated(norm ? standardised(x) : x, shift!, scale!);
  },
}));
