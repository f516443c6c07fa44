import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import type { Params } from "../model.ts";
import { onKernels, productOf } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * A change of a kernel that is a Kronecker product: `W + alpha / rank · C ⊗ (A B)`, with a small C, and A and B narrow.
 *
 * Inputs and units are each divided into two factors as near to one another as can be, the smaller for C; with `factor` the smaller is that
 * where it divides. Where `rank` is not less than half of the larger side, `A B` is one matrix. C begins as zeros, so that the network begins
 * as it was.
 *
 * Edalati et al. 2022, "KronA", arXiv:2212.10650, section 3; as LoKr in Yeh et al. 2024, arXiv:2309.14859. Factors and draws are peft's.
 * Differs from peft: a kernel of a convolution is one matrix.
 *
 * @example
 * ```ts
 * import { lokr, vit } from "thalweg";
 * vit().adapt(lokr({ rank: 4 }));
 * ```
 */
export const lokr = adapter(
  "lokr",
  {
    /** Width of A and B. */
    rank: 8,
    /** The change is multiplied by `alpha / rank`. */
    alpha: 8,
    /** The sides of C; −1 leaves them to be as near to the others as can be. */
    factor: -1,
  },
  { kind: "weight" },
  ({ rank, alpha, factor }) => {
    needWhole("lokr", "rank", rank);
    if (factor !== -1) needWhole("lokr", "factor", factor);
    return onKernels({
      init(rng, { shape: [inputs, units] }): Params {
        const [[m, n], [l, k]] = [factored(inputs, factor), factored(units, factor)];
        const drawn = (name: string, rows: number, columns: number): tf.Tensor =>
          drawWeights("torch", rng.at(name), [rows, columns], rows, columns);
        const small = tf.zeros([m, l]);
        if (rank >= Math.max(n, k) / 2) return { small, large: drawn("large", n, k) };
        return { small, left: drawn("left", n, rank), right: drawn("right", rank, k) };
      },
      changed(own, kernel) {
        const large = (own.large ?? productOf(own, "left", "right")) as tf.Tensor;
        return tf.add(kernel, tf.mul(kronecker(own.small as tf.Tensor, large), alpha / rank));
      },
    });
  },
);

/** `C ⊗ D`: a copy of D, times the number, in place of each number of C. */
function kronecker(small: tf.Tensor, large: tf.Tensor): tf.Tensor {
  const [[m, l], [n, k]] = [small.shape, large.shape] as [[number, number], [number, number]];
  return tf.reshape(tf.mul(tf.reshape(small, [m, 1, l, 1]), tf.reshape(large, [1, n, 1, k])), [m * n, l * k]);
}

/** Two factors of a number, the smaller first: `most` where it divides, else as near to one another as can be, the smaller at most `most`. */
function factored(size: number, most: number): [small: number, large: number] {
  if (most > 0 && size % most === 0) return [most, size / most];
  const bound = Math.min(most > 0 ? most : size, Math.floor(Math.sqrt(size)));
  for (let small = bound; small > 1; small--) if (size % small === 0) return [small, size / small];
  return [1, size];
}
