import { needOneOf } from "../../../data/options.ts";
import { nn, tf } from "../../../engine/index.ts";
import { drawWeights } from "../../initial.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import {
  type KanOptions,
  kanCount,
  kanFunctions,
  kanOptions,
  selectedSum,
  selectParams,
} from "../../parts/kan-bases.ts";

/** Options of `kanConv`. */
export interface KanConvOptions extends KanOptions {
  /** "same" pads with zeros so that the size stays; "valid" does not pad. Default "same". */
  readonly pad?: "same" | "valid";
}

/**
 * A convolution of images whose filters are made of trained functions: `kan` over each window.
 *
 * Of every pixel the functions of the families are taken, and these are convolved. What pads the image gives 0 for all of them. Takes images
 * `[height, width, channels]`, gives `[height′, width′, filters]`. Yang et al. 2024, arXiv:2408.08338: the convolutional S-KAN; `kan` says how it differs.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().kanConv(4, 3, { bases: ["gauss"] }).features([8, 8, 1]); // [8, 8, 4]
 * ```
 */
export const kanConv = layer(
  "kanConv",
  { accepts: ["image"], gives: "image" },
  (filters: number, window: number, { pad = "same", ...options }: KanConvOptions = {}) => {
    requireCount("kanConv", "filters", filters);
    requireCount("kanConv", "window", window);
    needOneOf("kanConv", "pad", pad, ["same", "valid"]);
    const { bases, select, how, used } = kanOptions("kanConv", options);
    const size = (n: number): number => (pad === "same" ? n : n - window + 1);
    return {
      options: { filters, window, pad, ...used },
      shape(input) {
        const [height, width] = input;
        if (input.length !== 3 || size(height!) < 1 || size(width!) < 1)
          throw new RangeError(`kanConv: an image of at least ${window}×${window} is required, got shape [${input}]`);
        return [size(height!), size(width!), filters];
      },
      init(rng, [, , channels]): Params {
        const drawn = (name: string, count: number): tf.Tensor => {
          const inputs = channels! * count;
          return drawWeights(
            "torch",
            rng.at(name),
            [window, window, inputs, filters],
            window * window * inputs,
            filters,
          );
        };
        return {
          ...Object.fromEntries(bases.map((basis) => [basis, drawn(basis, kanCount(basis, how))])),
          base: drawn("base", 1),
          ...selectParams(rng.at("select"), bases, filters),
        };
      },
      apply(x, params) {
        const through = (values: tf.Tensor, kernel: string): tf.Tensor =>
          nn.convolve(values, params[kernel] as tf.Tensor, { pad });
        const outs = bases.map((basis) =>
          through(tf.reshape(kanFunctions(basis, x, how), [...x.shape.slice(0, 3), -1]), basis),
        );
        return tf.add(through(nn.silu(x), "base"), selectedSum(outs, params, select));
      },
    };
  },
);
