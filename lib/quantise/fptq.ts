import { needWhole } from "../data/options.ts";
import { gridDefaults, rounded } from "./parts/codes.ts";
import { equalised, inputScale, seenRanges } from "./parts/inputs.ts";
import { quantising } from "./quantising.ts";

/**
 * FPTQ: kernels in groups of four bits and what comes into layers in eight, in one of three ways by how far it ranges.
 *
 * The range is the largest size of what comes in on the examples. Up to `low` one scale for all serves; between `low` and `high` each channel j with
 * largest size m is first divided by `m / log₂(2 + m)` and the kernel's rows multiplied by it, so that far channels come nearer and all keep their order, and one scale
 * serves what is left; from `high` on every row has a scale of its own, found as it comes.
 *
 * The network that is given rounds what comes in by `quantisedInput`. Channels are those of an image, over all places of a window.
 *
 * Implements: P225 FPTQ W4A8
 *
 * Li et al. 2023, "FPTQ: fine-grained post-training quantization for large language models", arXiv:2308.15987, algorithm 1 and its
 * logarithmic equalisation; the bounds are those that it sets.
 * Differs from the paper: each layer's multipliers are kept beside its scales rather than put into the layer before; the three ways are chosen for any
 * layer, not for kinds of layers of a transformer.
 *
 * @throws TypeError for the head; RangeError where `low` is above `high`.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 6 }).train;
 * const big = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 3) });
 * quantise.fptq(big, data, { low: 0 }).codes.get("model/2-dense")?.input?.bits; // 8
 * ```
 */
export const fptq = quantising(
  "fptq",
  {
    ...gridDefaults,
    group: 128,
    /** Bits of what comes in, from 2 to 16. */
    activations: 8,
    /** The range up to which one scale serves, and from which on each row has its own. */
    low: 15,
    high: 150,
  },
  {
    needsData: true,
    layer(layer, { activations, low, high, ...grid }) {
      needWhole("quantise.fptq", "activations", activations, 2);
      if (!(low <= high)) throw new RangeError(`quantise.fptq: low up to high is required, got ${low} and ${high}`);
      const { channels, all } = seenRanges(layer);
      const { inputs, units } = layer;
      if (all > low && all < high) {
        const by = Float32Array.from(channels, logarithmic);
        const left = channels.reduce((most, m, i) => Math.max(most, m / by[i]!), 0);
        return {
          ...equalised(layer, by, grid),
          input: { bits: activations, scale: inputScale(left, activations) },
        };
      }
      const scale = all < high ? inputScale(all, activations) : 0;
      return { ...rounded(layer.kernel, { inputs, units }, grid), input: { bits: activations, scale } };
    },
  },
);

/** What a channel of a largest size is divided by; 1 for one that is always 0, whose limit is that of log 2. */
export function logarithmic(size: number): number {
  return size === 0 ? 1 : size / Math.log2(2 + size);
}
