import { inverseFactor } from "../models/parts/inverse-factor.ts";
import { squaresOf } from "../models/parts/kernel-layers.ts";
import { type Codes, codeOf, gridDefaults, gridOf, gridsOf, scaleAt } from "./parts/codes.ts";
import { quantising } from "./quantising.ts";

/**
 * GPTQ: inputs are gone through one after the other; the error of rounding a unit's number goes to its numbers for the inputs behind, by the
 * inverse of the inputs' Gram matrix, so that the layer answers nearly as before.
 *
 * The scale of a group is worked out when its first input comes, of what the numbers have become by then. With `order` the inputs with the most
 * energy come first, and scales are those of the numbers before.
 *
 * Frantar et al. 2022, "GPTQ: accurate post-training quantization for generative pre-trained transformers", arXiv:2210.17323, algorithm 1; order,
 * groups and damping are those of the authors' program (act-order with static groups).
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 6 }).train;
 * const big = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 3) });
 * const [a, b] = [quantise.gptq(big, data, { bits: 3 }), quantise.rtn(big, data, { bits: 3 })];
 * a.report.layers[0].error < b.report.layers[0].error; // true
 * ```
 */
export const gptq = quantising(
  "gptq",
  {
    ...gridDefaults,
    /** Whether the inputs with the most energy are rounded first. */
    order: false,
    /** What is added to the diagonal of the Gram matrix, in shares of its mean. */
    damp: 0.01,
  },
  {
    needsData: true,
    layer({ kernel, rows, inputs, units }, { order, damp, ...grid }): Codes {
      const seen = rows();
      const energy = squaresOf(seen, inputs);
      const turn = Uint32Array.from({ length: inputs }, (_, i) => i);
      if (order) turn.sort((a, b) => energy[b]! - energy[a]! || a - b);
      const inOrder = seen.map((_, at) => seen[at - (at % inputs) + turn[at % inputs]!]!);
      const { upper, dead } = inverseFactor(inOrder, inputs, damp);
      const w = kernel.map((_, at) => {
        const row = Math.floor(at / units);
        return dead[row] === 1 ? 0 : kernel[turn[row]! * units + (at % units)]!;
      });
      const { scale, zero, group } = gridsOf(kernel, { inputs, units }, grid);
      const codes = new Uint8Array(kernel.length);
      for (let i = 0; i < inputs; i++) {
        const row = turn[i]!;
        if (!order && grid.group > 0 && row % group === 0)
          for (let unit = 0; unit < units; unit++) {
            const at = Array.from({ length: Math.min(group, inputs - row) }, (_, k) => w[(row + k) * units + unit]!);
            const own = gridOf(at, grid);
            scale[scaleAt(row, unit, units, group)] = own.scale;
            zero[scaleAt(row, unit, units, group)] = own.zero;
          }
        const pivot = upper[i * inputs + i]!;
        for (let unit = 0; unit < units; unit++) {
          const [value, at] = [w[i * units + unit]!, scaleAt(row, unit, units, group)];
          const code = codeOf(value, scale[at]!, zero[at]!, grid.bits);
          codes[row * units + unit] = code;
          const lost = (value - (code - zero[at]!) * scale[at]!) / pivot;
          for (let k = i + 1; k < inputs; k++) w[k * units + unit]! -= lost * upper[i * inputs + k]!;
        }
      }
      return { inputs, units, bits: grid.bits, group, codes, scale, zero };
    },
  },
);
