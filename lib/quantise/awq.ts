import { needWhole } from "../data/options.ts";
import { type KernelLayer, type Matrix, outputError } from "../models/parts/kernel-layers.ts";
import { type Codes, decoded, gridDefaults, rounded } from "./parts/codes.ts";
import { quantising } from "./quantising.ts";

/**
 * AWQ: inputs that are large on average have their numbers multiplied before they are rounded, and what comes in divided by as much, so that
 * the numbers that matter most are rounded most finely. The power of the mean that is multiplied by is searched for on a grid, by the
 * error of the layer's answers.
 *
 * Lin et al. 2023, "AWQ: activation-aware weight quantization", arXiv:2306.00978, section 3.2 and equations 4 and 5, with the grid of the
 * authors' program. Differs from the paper: each layer has multipliers of its own, which are kept beside the scales rather than put into
 * the layer before; ranges are not clipped.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 6 }).train;
 * const big = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 3) });
 * const [a, b] = [quantise.awq(big, data, { bits: 3 }), quantise.rtn(big, data, { bits: 3 })];
 * a.report.layers[0].error <= b.report.layers[0].error; // true
 * ```
 */
export const awq = quantising(
  "awq",
  {
    ...gridDefaults,
    /** Powers from 0 to 1 that are tried. */
    tried: 20,
  },
  {
    needsData: true,
    layer(layer, { tried, ...grid }): Codes {
      needWhole("quantise.awq", "tried", tried);
      const rows = layer.rows();
      const means = meanSizes(rows, layer.inputs);
      return best(
        rows,
        layer,
        Array.from({ length: tried }, (_, i) => {
          const by = multipliers(means, i / tried);
          const raised = layer.kernel.map((w, at) => w * by[Math.floor(at / layer.units)]!);
          const codes = rounded(raised, layer, grid);
          return i === 0 ? codes : { ...codes, by };
        }),
      );
    },
  },
);

function meanSizes(rows: Matrix, inputs: number): Matrix {
  const out = new Float64Array(inputs);
  const n = rows.length / inputs;
  rows.forEach((value, at) => {
    out[at % inputs]! += Math.abs(value) / n;
  });
  return out;
}

/** A power of the means, around 1. */
function multipliers(means: Matrix, power: number): Float32Array {
  const raised = means.map((mean) => Math.max(mean ** power, 1e-4));
  const middle = Math.sqrt(Math.max(...raised) * Math.min(...raised));
  return Float32Array.from(raised, (value) => value / middle);
}

function best(rows: Matrix, layer: KernelLayer, all: readonly Codes[]): Codes {
  const errors = all.map((codes) => outputError(rows, layer.kernel, decoded(codes), layer));
  return all[errors.indexOf(Math.min(...errors))]!;
}
