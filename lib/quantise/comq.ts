import { needWhole } from "../data/options.ts";
import { gramOf } from "../models/parts/kernel-layers.ts";
import { type Codes, codeOf, gridDefaults, gridsOf } from "./parts/codes.ts";
import { quantising } from "./quantising.ts";

/**
 * COMQ: the codes of a unit are changed one after the other, each to the nearest of where the layer's error is least with the others as they are,
 * and after each round the unit's scale likewise.
 *
 * Numbers that weigh most, by their size times the length of their input, come first. The first round begins from the numbers themselves.
 *
 * Implements: P161 COMQ
 *
 * Zhang et al. 2024, "COMQ: a backpropagation-free algorithm for post-training quantization", arXiv:2403.07134, section 3 (a scale for each
 * unit, greedy order); the grid is that of the authors' program, which leaves scales as they are (`scales: false`).
 *
 * @throws RangeError where a group is asked for.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 6 }).train;
 * const big = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 3) });
 * const [a, b] = [quantise.comq(big, data, { bits: 3 }), quantise.rtn(big, data, { bits: 3 })];
 * a.report.layers[0].error < b.report.layers[0].error; // true
 * ```
 */
export const comq = quantising(
  "comq",
  {
    ...gridDefaults,
    /** Rounds through all codes of a unit. */
    rounds: 3,
    /** Whether scales are changed too. */
    scales: true,
  },
  {
    needsData: true,
    layer({ kernel, rows, ...place }, { rounds, scales, ...grid }): Codes {
      needWhole("quantise.comq", "rounds", rounds);
      if (grid.group !== 0)
        throw new RangeError(`quantise.comq: a group of 0, a scale for each unit, is required, got ${grid.group}`);
      const { inputs, units } = place;
      const gram = gramOf(rows(), inputs);
      const { scale, zero, group } = gridsOf(kernel, place, grid);
      const codes = new Uint8Array(kernel.length);
      for (let unit = 0; unit < units; unit++) {
        const w = Float64Array.from({ length: inputs }, (_, i) => kernel[i * units + unit]!);
        const weigh = w.map((value, i) => Math.abs(value) * Math.sqrt(gram[i * inputs + i]!));
        const order = Uint32Array.from(w.keys()).sort((a, b) => weigh[b]! - weigh[a]! || a - b);
        const left = new Float64Array(inputs); // w − what the codes stand for: 0 before the first round
        for (let round = 0; round < rounds; round++) {
          for (const i of order) {
            const own = gram[i * inputs + i]!;
            let pull = 0;
            for (let j = 0; j < inputs; j++) if (j !== i) pull += gram[i * inputs + j]! * left[j]!;
            const target = own === 0 ? w[i]! : w[i]! + pull / own;
            const code = codeOf(target, scale[unit]!, zero[unit]!, grid.bits);
            codes[i * units + unit] = code;
            left[i] = w[i]! - (code - zero[unit]!) * scale[unit]!;
          }
          if (!scales) continue;
          const whole = Float64Array.from({ length: inputs }, (_, i) => codes[i * units + unit]! - zero[unit]!);
          const [alike, length] = [energy(gram, whole, w), energy(gram, whole, whole)];
          if (!(alike > 0)) continue;
          scale[unit] = alike / length;
          for (let i = 0; i < inputs; i++) left[i] = w[i]! - whole[i]! * scale[unit]!;
        }
      }
      return { inputs, units, bits: grid.bits, group, codes, scale, zero };
    },
  },
);

/** `aᵀ G b`. */
function energy(gram: Float64Array, a: Float64Array, b: Float64Array): number {
  let sum = 0;
  const n = a.length;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) sum += a[i]! * gram[i * n + j]! * b[j]!;
  return sum;
}
