import { nn, type Rng, tf } from "../../../engine/index.ts";
import { drawWeights } from "../../initial.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import {
  type KanOptions,
  kanCount,
  kanFunctions,
  kanOptions,
  selectedSum,
  selectParams,
} from "../../parts/kan-bases.ts";

export type { KanBasis, KanOptions } from "../../parts/kan-bases.ts";

/**
 * A layer of a Kolmogorov-Arnold network: every connection is a trained function, and a unit is the sum of what its connections give.
 *
 * `y_o = Σ_i (w_io silu(x_i) + Σ_k c_iok B_k(x_i))`, with the functions B_k of a family. No other activation is needed behind it. Takes vectors and the places of
 * sequences, as `dense` does. Liu et al. 2024, "KAN: Kolmogorov-Arnold networks", arXiv:2404.19756, section 2.2.
 *
 * With several families each unit selects among them, by trained numbers.
 *
 * Implements: P047 S-KAN
 * Yang, Zhang, Luo, Lu and Shen 2024, "Activation space selectable Kolmogorov-Arnold networks", arXiv:2408.08338: `bases`; `kanConv` for images.
 * Written from the abstract and from what has been written of it.
 * Differs from the paper: weights and selection are trained together, not in stages of which the last takes the families that were not selected away; `select: "best"`
 * goes by the best family from the beginning, whose gradient goes to all.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().kan(8).kan(4).features([2]); // [4]
 * net().kan(8, { bases: ["spline", "chebyshev", "fourier"], select: "best" }).features([2]); // [8]
 * ```
 */
export const kan = sameLayer(
  "kan",
  (units: number, options: KanOptions = {}) => {
    requireCount("kan", "units", units);
    const { bases, select, how, used } = kanOptions("kan", options);
    return {
      options: { units, ...used },
      shape(input) {
        if (input.length !== 1 && input.length !== 2)
          throw new RangeError(
            `kan: a vector is required, got shape [${input}]; call flatten() first, or take kanConv`,
          );
        return [...input.slice(0, -1), units];
      },
      init(rng: Rng, input): Params {
        const inputs = input.at(-1)!;
        const drawn = (basis: (typeof bases)[number]): tf.Tensor => {
          const rows = inputs * kanCount(basis, how);
          return drawWeights("torch", rng.at(basis), [rows, units], rows, units);
        };
        return {
          ...Object.fromEntries(bases.map((basis) => [basis, drawn(basis)])),
          base: drawWeights("torch", rng.at("base"), [inputs, units], inputs, units),
          ...selectParams(rng.at("select"), bases, units),
        };
      },
      apply(x, params) {
        const inputs = x.shape.at(-1)!;
        const rows = tf.reshape(x, [x.size / inputs, inputs]);
        const outs = bases.map((basis) => {
          const values = kanFunctions(basis, rows, how);
          return tf.matMul(tf.reshape(values, [rows.shape[0]!, -1]) as tf.Tensor2D, params[basis] as tf.Tensor2D);
        });
        const base = tf.matMul(nn.silu(rows) as tf.Tensor2D, params.base as tf.Tensor2D);
        return tf.reshape(tf.add(base, selectedSum(outs, params, select)), [...x.shape.slice(0, -1), units]);
      },
    };
  },
  ["vector", "sequence"],
);
