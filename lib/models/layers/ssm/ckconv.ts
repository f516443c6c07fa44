import { fftConvolve, tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { requireVectors } from "../../parts/recurrence.ts";

/** Options of `ckconv`. */
export interface CkconvOptions {
  /** Units of the network that draws the filters. Default 32. */
  readonly hidden?: number;
  /** How fast its sines are. Default 30. */
  readonly omega?: number;
}

/**
 * A convolution with a continuous kernel, as long as the sequence: `[length, inputs]` becomes `[length, units]`.
 *
 * A network of two layers of sines and a linear one gives the filters as a function of how far back a place lies, from −1 for the place itself to 1 for the first one of the sequence. It
 * has as many weights for any length, and sequences that are sampled more often get the same filters, finer.
 *
 * Implements: P186 CKConv
 *
 * Romero, Kuzina, Bekkers, Tomczak and Hoogendoorn 2021, "CKConv: continuous kernel convolution for sequential data", arXiv:2102.02611, and the authors' program (dwromero/ckconv); sines as in
 * Sitzmann et al. 2020, arXiv:2006.09661, with biases between −1 and 1, so that they begin at any phase. Differs from the program: filters begin with a deviation of 1, with little of it the same at
 * all places, and are divided by the root of the places and inputs that they are summed over, so that what comes out begins in the scale of what came in; kernels have no length and
 * direction of their own (weight normalisation); what is sampled more often is not smoothed.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().ckconv(8).relu().ckconv(8).last().features([100, 2]); // [8]
 * ```
 */
export const ckconv = layer(
  "ckconv",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, { hidden = 32, omega = 30 }: CkconvOptions = {}) => {
    requireCount("ckconv", "units", units);
    requireCount("ckconv", "hidden", hidden);
    if (!(omega > 0)) throw new RangeError(`ckconv: an omega above 0 is required, got ${omega}`);
    return {
      options: { units, hidden, omega },
      shape(input) {
        requireVectors("ckconv", input);
        return [input[0]!, units];
      },
      init(rng, [, inputs]): Params {
        const drawn = (part: string, rows: number, columns: number, bound: number, bias = 1): Params => ({
          kernel: rng.at(part).at("kernel").uniforms([rows, columns], -bound, bound),
          bias: rng.at(part).at("bias").uniforms([columns], -bias, bias),
        });
        const inner = Math.sqrt(6 / hidden);
        return {
          first: drawn("first", 1, hidden, 1),
          second: drawn("second", hidden, hidden, inner / omega),
          filters: drawn("filters", hidden, inputs! * units, inner, 1 / omega),
          bias: tf.zeros([units]),
        };
      },
      apply(x, params) {
        const [n, length, inputs] = x.shape as [number, number, number];
        const linear = (of: tf.Tensor, part: string): tf.Tensor => {
          const { kernel, bias } = params[part] as { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor };
          return tf.add(tf.matMul(of as tf.Tensor2D, kernel), bias);
        };
        const sines = (of: tf.Tensor): tf.Tensor => tf.sin(tf.mul(of, omega));
        const places = tf.reshape(tf.linspace(-1, length === 1 ? -1 : 1, length), [length, 1]);
        const drawn = linear(sines(linear(sines(linear(places, "first")), "second")), "filters");
        const kernel = tf.transpose(tf.mul(drawn, 1 / Math.sqrt(inputs * length)));
        // every input for every unit, side by side
        const wide = tf.reshape(tf.tile(tf.expandDims(x, 2), [1, 1, units, 1]), [n, length, units * inputs]);
        const y = tf.sum(tf.reshape(fftConvolve(wide, kernel), [n, length, units, inputs]), 3);
        return tf.add(y, params.bias as tf.Tensor);
      },
    };
  },
);
