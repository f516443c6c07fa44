import { needOneOf } from "../data/options.ts";
import { type Codes, gridDefaults } from "./parts/codes.ts";
import { quantising } from "./quantising.ts";

/**
 * Kernels of −1, 0 and 1 times a scale of their own: `clamp(round(w / s), −1, 1) · s` with s the median, or the mean, of the kernel's sizes.
 *
 * For networks that were trained so, with the strategy of this name; others lose much. The kernels are whole numbers of two bits.
 *
 * Nielsen and Schneider-Kamp 2024, "BitNet b1.58 Reloaded", arXiv:2407.09527, section 3.
 *
 * @example
 * ```ts
 * import { mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const big = trained({ model, input: [16], weights: network(model, [16]).init(random(0), 3) });
 * quantise.ternary(big).report.bits; // 2
 * ```
 */
export const ternary = quantising(
  "ternary",
  {
    ...gridDefaults,
    bits: 2,
    /** What a kernel is divided by: the "median" or the "mean" of its sizes. */
    scale: "median" as string,
  },
  {
    needsData: false,
    layer({ kernel, inputs, units }, { bits, group, scale }): Codes {
      needOneOf("quantise.ternary", "scale", scale, ["median", "mean"]);
      if (bits !== 2 || group !== 0)
        throw new RangeError(`quantise.ternary: two bits and a group of 0 are required, got ${bits} and ${group}`);
      const sizes = kernel.map(Math.abs).sort();
      const middle =
        scale === "median"
          ? sizes[Math.floor((sizes.length - 1) / 2)]!
          : sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
      const by = Math.max(middle, 1e-5);
      return {
        inputs,
        units,
        bits,
        group: inputs,
        codes: Uint8Array.from(kernel, (w) => 1 + Math.min(1, Math.max(-1, Math.round(w / by)))),
        scale: new Float32Array(units).fill(by),
        zero: new Uint8Array(units).fill(1),
      };
    },
  },
);
