import { needShare, needWhole } from "../data/options.ts";
import type { KernelLayer, Matrix } from "../models/parts/kernel-layers.ts";
import { gridDefaults, rounded } from "./parts/codes.ts";
import { equalised, inputScale, seenRanges } from "./parts/inputs.ts";
import { quantising } from "./quantising.ts";

/**
 * SmoothQuant: channels that come in with outliers are divided by a number and the kernel's rows multiplied by it, so that both can be rounded to eight bits.
 *
 * Channel j is divided by `max|X_j|^alpha / max|W_j|^(1 − alpha)`; with `alpha: 0` by nothing, which is plain rounding of both. One scale for all that comes in is
 * measured on the examples; with `rows` every row has its own, found as it comes. The network that is given rounds what comes in by `quantisedInput`.
 *
 * Xiao et al. 2023, "SmoothQuant: accurate and efficient post-training quantization for large language models", arXiv:2211.10438, equation 4. Differs from the
 * paper: each layer's multipliers are kept beside its scales rather than put into the layer before.
 *
 * @throws TypeError for the head.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 6 }).train;
 * const big = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 3) });
 * quantise.smoothQuant(big, data, { alpha: 0.5 }).report.bits; // 8
 * ```
 */
export const smoothQuant = quantising(
  "smoothQuant",
  {
    ...gridDefaults,
    bits: 8,
    /** Bits of what comes in, from 2 to 16. */
    activations: 8,
    /** How much of the range goes over to the kernel, in [0, 1]; 0: none. */
    alpha: 0.5,
    /** Whether every row that comes in has a scale of its own. */
    rows: false,
  },
  {
    needsData: true,
    layer(layer, { activations, alpha, rows, ...grid }) {
      needWhole("quantise.smoothQuant", "activations", activations, 2);
      needShare("quantise.smoothQuant", "alpha", alpha);
      const { channels } = seenRanges(layer);
      const by = alpha === 0 ? undefined : multipliers(channels, kernelRanges(layer, channels.length), alpha);
      const left = channels.reduce((most, m, i) => Math.max(most, m / (by?.[i] ?? 1)), 0);
      const { inputs, units } = layer;
      const codes = by === undefined ? rounded(layer.kernel, { inputs, units }, grid) : equalised(layer, by, grid);
      return { ...codes, input: { bits: activations, scale: rows ? 0 : inputScale(left, activations) } };
    },
  },
);

/** The largest size of the numbers that each channel is multiplied by. */
function kernelRanges({ kernel, units }: KernelLayer, channels: number): Matrix {
  const out = new Float64Array(channels);
  kernel.forEach((w, at) => {
    const channel = Math.floor(at / units) % channels;
    out[channel] = Math.max(out[channel]!, Math.abs(w));
  });
  return out;
}

function multipliers(seen: Matrix, weighed: Matrix, alpha: number): Float32Array {
  return Float32Array.from(seen, (x, j) => Math.max(x, 1e-5) ** alpha / Math.max(weighed[j]!, 1e-5) ** (1 - alpha));
}
