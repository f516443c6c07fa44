import type { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
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
import { product } from "../../parts/product.ts";

/** Options of `moe`. */
export type MoeOptions = MixtureOptions;

/**
 * A mixture of experts: a router sends each vector, or each place of a sequence, to `topK` of several pairs of dense layers.
 *
 * With the probabilities p = softmax(x·R) the output is Σ g·E(x) over the chosen experts E: for one the gate g is its p, for several their p as shares of
 * their sum. In training an expert has places for `capacity · topK · n / experts` rows; what finds none passes by with 0, so put the layer into a
 * `residual`. In evaluation nothing is dropped, so that no row depends on others, and all experts are computed. Two losses are told in a run's events as
 * the term "layers": `balance · experts · Σ f P` of the shares f of choices and the mean probabilities P, and `zLoss` times the mean square of
 * log Σ exp of the logits.
 *
 * Vectors `[n, d]` and sequences `[n, length, d]` keep their shape. Shazeer et al. 2017, arXiv:1701.06538; Fedus et al. 2022, "Switch transformers",
 * arXiv:2101.03961, section 2 (`topK: 1`, `form: "relu"`); Jiang et al. 2024, "Mixtral of experts", arXiv:2401.04088, section 2.1 (`form: "swiglu"`,
 * `bias: false`); Zoph et al. 2022, arXiv:2202.08906 (`zLoss`).
 *
 * With `balanceOver` the shares f are those of so many batches together, as where the micro-batches of an update are balanced as a whole: a batch of one
 * domain may then prefer some experts.
 *
 * Implements: P376 Global-batch MoE load balance
 * Qiu et al. 2025, "Demons in the detail: on implementing load balancing loss for training specialized mixture-of-expert models", arXiv:2501.11873,
 * section 3, with its buffer for gradient accumulation.
 * Differs from the paper: one process, so that nothing is gathered from others; the buffer is all there is.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).residual((n) => n.layerNorm().moe(4, { widen: 2 })).features([8]); // [16]
 * ```
 */
export const moe = sameLayer(
  "moe",
  (experts: number, given: MoeOptions = {}) => {
    const options = mixtureOptions("moe", experts, given);
    return {
      options: { experts, ...options },
      byPlace: true,
      shape(input) {
        requireRows("moe", input);
        return input;
      },
      init: (rng, input) => mixtureParams(rng, experts, input.at(-1)!, options),
      statistics: () => mixtureStatistics(experts, options),
      apply(x, params, mode) {
        const { rows, back } = asRows(x);
        const logits = product(jittered(rows, mode, options.jitter), params, "router", mode) as tf.Tensor2D;
        return back(mixture(rows, logits, params, mode, options));
      },
    };
  },
  ["vector", "sequence"],
);
