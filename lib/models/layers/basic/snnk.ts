import { sizeOf } from "../../../data/dataset.ts";
import { needOneOf } from "../../../data/options.ts";
import { random, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";

/** Options of `snnk`. */
export interface SnnkOptions {
  /** Random features. Default 32. */
  readonly features?: number;
  /**
   * What the features stand for: "relu" for `relu(G x)`, whose products are the arc-cosine kernel of x and w; "exp" for `exp(G x − |x|² / 2)`, whose products are
   * `exp(w · x)`. Default "relu".
   */
  readonly kernel?: "relu" | "exp";
  /** Draws G, which is not trained. Default 0. */
  readonly seed?: number;
}

/**
 * A scalable neural network kernel: a fully connected layer with its activation, as a product of random features of the input and of the weights.
 *
 * `y = φ(x) · Ψ`, `φ(x) = f(G x) / √features` with a fixed Gaussian G; Ψ, `[features, units]`, begins as the features of Gaussian weights and is trained itself, so that the
 * layer has `features · units` trained numbers whatever its inputs are. Takes vectors and the places of sequences.
 *
 * Implements: P380 Scalable Neural Network Kernels
 * Sehanobish, Choromanski, Zhao, Dubey and Likhosherstov 2024, "Scalable neural network kernels", arXiv:2310.13225, section 3, and the authors' program, whose rectified and
 * positive features these are.
 * Differs from the paper: random features of these two kernels alone; whole networks are not bundled in closed form.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().flatten().snnk(64, { features: 16 }).features([8, 8, 1]); // [64]
 * ```
 */
export const snnk = sameLayer(
  "snnk",
  (units: number, { features = 32, kernel = "relu", seed = 0 }: SnnkOptions = {}) => {
    requireCount("snnk", "units", units);
    requireCount("snnk", "features", features);
    needOneOf("snnk", "kernel", kernel, ["relu", "exp"]);
    const phi = (rows: tf.Tensor, projection: tf.Tensor): tf.Tensor2D => {
      const sums = tf.matMul(rows as tf.Tensor2D, projection as tf.Tensor2D);
      const made =
        kernel === "relu" ? tf.relu(sums) : tf.exp(tf.sub(sums, tf.div(tf.sum(tf.square(rows), 1, true), 2)));
      return tf.div(made, Math.sqrt(features)) as tf.Tensor2D;
    };
    const projectionOf = (inputs: number): tf.Tensor => random(seed).at("snnk").normals([inputs, features]);
    return {
      options: { units, features, kernel, seed },
      shape(input) {
        if (input.length !== 1 && input.length !== 2)
          throw new RangeError(`snnk: a vector is required, got shape [${input}]; call flatten() first`);
        return [...input.slice(0, -1), units];
      },
      statistics: (input) => ({ projection: projectionOf(input.at(-1)!) }),
      init(rng, input): Params {
        const inputs = input.at(-1)!;
        const weights = rng.at("weights").normals([units, inputs], 0, 1 / Math.sqrt(inputs));
        return { kernel: tf.transpose(phi(weights, projectionOf(inputs))) };
      },
      apply(x, params, mode) {
        const inputs = x.shape.at(-1)!;
        const rows = tf.reshape(x, [sizeOf(x.shape) / inputs, inputs]);
        const y = tf.matMul(phi(rows, mode.read("projection")), params.kernel as tf.Tensor2D);
        return tf.reshape(y, [...x.shape.slice(0, -1), units]);
      },
    };
  },
  ["vector", "sequence"],
);
