import { sameLayer } from "../../layer.ts";
import { associating, type HopfieldOptions, requireHeads } from "../../parts/hopfield.ts";

/**
 * A continuous Hopfield network over a sequence: the vector at each place is a state that retrieves from those of all places, which are the stored patterns.
 *
 * `[length, units]` keeps its shape. States are projected, updated `steps` times by `ξ ← X softmax(β Xᵀ ξ)`, and the last update gives the projected
 * values. With one step and the default β it is attention without a mask. `hopfieldLayer` stores trained patterns, `hopfieldPooling` asks with
 * trained states.
 *
 * Implements: P103 Modern Hopfield layers
 * Ramsauer et al. 2021, "Hopfield networks is all you need", arXiv:2008.02217, equation 3 and section 3. Differs from the authors' program: nothing is normalised in it, put
 * `layerNorm()` before; updates are a fixed number, where theirs may end when nothing changes.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).layerNorm().hopfield(2, { steps: 3, beta: 2 }).features([10, 4]); // [10, 16]
 * ```
 */
export const hopfield = sameLayer(
  "hopfield",
  (heads: number, options: HopfieldOptions = {}) => {
    const own = associating("hopfield", heads, options);
    return {
      options: { heads, ...own.said },
      shape(input) {
        requireHeads("hopfield", heads, input);
        return input;
      },
      init: (rng, [, units]) => own.init(rng, units!),
      apply: (x, params, mode) => own.associate(x, x, params, mode),
    };
  },
  ["sequence"],
);
