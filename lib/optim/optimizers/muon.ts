import { needShare, needWhole } from "../../data/options.ts";
import { mapTensors, tf } from "../../engine/index.ts";
import { optimizer, zeros } from "../optimizer.ts";
import { type MatrixParts, matrixOf, onMatrices } from "../parts/matrices.ts";
import type { Flat } from "../parts/subset.ts";
import { adam } from "./adam.ts";

/**
 * Muon: the momentum of each matrix is made orthogonal before it is stepped along, so that all its directions count alike; everything else,
 * and the head and embeddings, moves by adam.
 *
 * `B ← momentum · B + (1 − momentum) · g`, `O` is the nearest orthogonal matrix to `(1 − momentum) · g + momentum · B` by five rounds of
 * `X ← aX + (b XXᵀ + c (XXᵀ)²) X` with (a, b, c) = (3.4445, −4.7750, 2.0315), and `w ← w − lr · √max(1, outputs/inputs) · O`. Kernels of
 * convolutions are matrices from a window's numbers to filters.
 *
 * Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the numbers are those of torch.optim.Muon, but that it
 * computes them in bfloat16.
 *
 * @example
 * ```ts
 * import { mlp, muon } from "thalweg";
 * muon({ lr: 0.02, others: 0.05 }).rate; // 0.02
 * ```
 */
export const muon = optimizer(
  "muon",
  {
    /** Learning rate. */
    lr: 0.02,
    /** Share of the last momentum that is kept, in [0, 1). */
    momentum: 0.95,
    /** Whether the step looks ahead. */
    nesterov: true,
    /** Rounds in which the momentum is made orthogonal. */
    rounds: 5,
    /** Pull of the matrices towards 0, decoupled: `w ← w · (1 − lr · weightDecay)`. */
    weightDecay: 0,
    /** The rate of adam for everything else, as a share of `lr`. */
    others: 0.15,
  },
  ({ lr, momentum, nesterov, rounds, weightDecay, others }) => {
    needShare("muon", "momentum", momentum);
    needWhole("muon", "rounds", rounds);
    if (!(others > 0)) throw new RangeError(`muon: others must be a number above 0, got ${others}`);
    const blend = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.add(tf.mul(a, momentum), tf.mul(b, 1 - momentum));
    const own: MatrixParts = {
      init: (matrices) => zeros(matrices),
      update(grads, state, matrices, rate) {
        const kept = mapTensors((b, now) => blend(b, now!), state as Flat, grads);
        const ahead = nesterov ? mapTensors((b, now) => blend(b, now!), kept, grads) : kept;
        const moved = mapTensors(
          (u, w) => tf.mul(tf.add(orthogonal(u, rounds), tf.mul(w!, weightDecay)), tf.neg(rate)),
          ahead,
          matrices,
        );
        return [moved, kept];
      },
    };
    return onMatrices(own, adam({ lr: lr * others }), others);
  },
);

/** The nearest orthogonal matrix, times the root of how many outputs there are for an input, where these are more. */
function orthogonal(of: tf.Tensor, rounds: number): tf.Tensor {
  const flat = matrixOf(of);
  const [inputs, outputs] = flat.shape;
  const tall = inputs > outputs;
  let x = tf.div(flat, tf.maximum(tf.norm(flat), 1e-7)) as tf.Tensor2D;
  for (let round = 0; round < rounds; round++) {
    const square = tf.matMul(x, x, tall, !tall);
    const by = tf.add(tf.mul(square, -4.775), tf.mul(tf.matMul(square, square), 2.0315)) as tf.Tensor2D;
    x = tf.add(tf.mul(x, 3.4445), tall ? tf.matMul(x, by) : tf.matMul(by, x));
  }
  return tf.mul(tf.reshape(x, of.shape), Math.sqrt(Math.max(1, outputs / inputs)));
}
