import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { expert, expertParams } from "../../parts/experts.ts";
import {
  asRows,
  jittered,
  type MixtureOptions,
  mixture,
  mixtureOptions,
  mixtureParams,
  mixtureStatistics,
  requireRows,
} from "../../parts/mixture.ts";
import { product, productParams } from "../../parts/product.ts";

/** Options of `residualMoe`. */
export type ResidualMoeOptions = MixtureOptions;

/**
 * A mixture of experts beside a pair of dense layers that every row passes: an expert corrects what is common to all.
 *
 * With the shares c = softmax(x·C + b) of the two ways the output is c₁ · M(x) + c₂ · D(x), M being `moe`, here with one expert for each row unless
 * `topK` says otherwise, and D an expert that all rows share. As many rows pass two experts as with `topK: 2`, and half as many have to be sent.
 * A pyramid has more experts in later layers: `residualMoe(4)`, then `residualMoe(8)`. Smaller students are taught by `distil`, with `until` up to a step
 * alone, as in the staged distillation of the paper.
 *
 * Implements: P056 DeepSpeed-MoE
 * Rajbhandari et al. 2022, "DeepSpeed-MoE: advancing mixture-of-experts inference and training to power next-generation AI scale", arXiv:2201.05596,
 * sections 4.1 and 4.2; the shares of the two ways as in its program.
 * Differs from the paper: the system that serves such models on many GPUs is not here.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * const block = (experts: number) => net().residual((n) => n.layerNorm().residualMoe(experts, { widen: 2 }));
 * net().dense(16).through(block(2)).through(block(4)).features([8]); // [16]
 * ```
 */
export const residualMoe = sameLayer(
  "residualMoe",
  (experts: number, { topK = 1, ...others }: ResidualMoeOptions = {}) => {
    const options = mixtureOptions("residualMoe", experts, { topK, ...others });
    return {
      options: { experts, ...options },
      byPlace: true,
      shape(input) {
        requireRows("residualMoe", input);
        return input;
      },
      init(rng, input): Params {
        const width = input.at(-1)!;
        return {
          ...mixtureParams(rng, experts, width, options),
          shared: expertParams(rng.at("shared"), width, options),
          ways: productParams(rng.at("ways"), width, 2),
        };
      },
      statistics: () => mixtureStatistics(experts, options),
      apply(x, params, mode) {
        const { rows, back } = asRows(x);
        const logits = product(jittered(rows, mode, options.jitter), params, "router", mode) as tf.Tensor2D;
        const routed = mixture(rows, logits, params, mode, options);
        const all = expert(rows, params.shared as Params, mode.at("shared"), options.form);
        const [first, second] = tf.split(tf.softmax(product(rows, params, "ways", mode)), 2, 1);
        return back(tf.add(tf.mul(routed, first!), tf.mul(all, second!)));
      },
    };
  },
  ["vector", "sequence"],
);
