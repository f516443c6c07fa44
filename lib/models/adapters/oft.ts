import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * Turns what comes into a layer: `R W`, where R is blocks along the diagonal that keep lengths and angles.
 *
 * A block is Cayley's `(I + Q)(I − Q)⁻¹` of a trained Q with `Qᵀ = −Q`, which begins as zeros, so that the network begins as it was. The inverse
 * is `terms` terms of its series, exact to `‖Q‖^terms`.
 *
 * Qiu et al. 2023, "Controlling text-to-image diffusion by orthogonal finetuning", arXiv:2306.07280, section 4.1, with the series of Qiu et
 * al. 2025, arXiv:2506.19847, section 3.2, as in peft. Differs from the paper: no bound on how far R is from I.
 *
 * @throws RangeError, when a study is made, on a layer whose inputs `block` does not divide.
 *
 * @example
 * ```ts
 * import { oft, vit } from "thalweg";
 * vit().adapt(oft({ block: 8, on: "block*" }));
 * ```
 */
export const oft = adapter(
  "oft",
  {
    /** Side of a block. */
    block: 8,
    /** Terms of the series. */
    terms: 5,
  },
  { kind: "weight" },
  ({ block, terms }) => {
    needWhole("oft", "block", block, 2);
    needWhole("oft", "terms", terms, 2);
    return onKernels({
      init(_rng, { shape: [inputs] }, { path }) {
        if (inputs % block !== 0)
          throw new RangeError(
            `oft: a block that divides the inputs of each layer is required, got ${block} and ${inputs} at ${path}; choose another block, or other layers with { on }`,
          );
        return { angles: tf.zeros([inputs / block, (block * (block - 1)) / 2]) };
      },
      changed({ angles }, kernel) {
        const [inputs, units] = kernel.shape;
        const turned = tf.matMul(
          rotations(angles as tf.Tensor2D, block, terms),
          tf.reshape(kernel, [-1, block, units]),
        );
        return tf.reshape(turned, [inputs, units]);
      },
    });
  },
);

/** `[n, block, block]`: I + 2Q + 2Q² + … with one Q^last, from the numbers above the diagonals of the Qs. */
function rotations(angles: tf.Tensor2D, block: number, terms: number): tf.Tensor {
  const skew = tf.reshape(tf.matMul(angles, skewBasis(block)), [-1, block, block]);
  let [sum, power] = [tf.add(tf.eye(block), tf.mul(skew, 2)), skew];
  for (let k = 2; k < terms; k++) {
    power = tf.matMul(power, skew);
    sum = tf.add(sum, k === terms - 1 ? power : tf.mul(power, 2));
  }
  return sum;
}

/** For each number above the diagonal, row by row, the matrix with 1 there and −1 at its mirror place. */
function skewBasis(block: number): tf.Tensor2D {
  const count = (block * (block - 1)) / 2;
  const basis = new Float32Array(count * block * block);
  let at = 0;
  for (let i = 0; i < block; i++)
    for (let j = i + 1; j < block; j++, at++) {
      basis[at * block * block + i * block + j] = 1;
      basis[at * block * block + j * block + i] = -1;
    }
  return tf.tensor2d(basis, [count, block * block]);
}
