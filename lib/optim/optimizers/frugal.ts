import { needOneOf, needShare, needWhole } from "../../data/options.ts";
import { type Rng, type Tree, tf, when } from "../../engine/index.ts";
import { optimizer } from "../optimizer.ts";
import { byPath, type MatrixParts, matrixOf, onMatrices } from "../parts/matrices.ts";
import { pulled } from "../parts/moments.ts";
import type { Flat } from "../parts/subset.ts";
import { adamOf, emptySubspace, into, type Left, leading, leftAfter, type Moments, outOf } from "../parts/subspace.ts";
import { adam } from "./adam.ts";

type Held = { readonly basis: tf.Tensor2D; readonly moments: Moments };
type State = Left & { readonly taken: tf.Tensor; readonly held: { readonly [path: string]: Held } };

/**
 * FRUGAL: each matrix's gradient is split. In a subspace of `share` of its smaller side Adam moves it, with moments of that size; what is left
 * over moves by the sign of it, which needs no memory, so that every step is of full rank.
 *
 * The subspace changes every `every` steps, and its moments begin anew: `select: "columns"` draws rows or columns at random, "svd" takes the
 * largest singular directions of the gradient. Everything else moves by adam at the same rate.
 *
 * Implements: P106 FRUGAL
 *
 * Zmushko et al. 2024, "FRUGAL", arXiv:2411.07837, algorithm 1 with AdamW and signSGD. Differs from the paper: whole blocks of layers as the
 * subspace are not there (groups(…) gives layers an optimizer each); singular vectors by orthogonal iteration.
 *
 * @example
 * ```ts
 * import { frugal } from "thalweg";
 * frugal({ share: 0.25, select: "svd" }).sees; // ["noise"]
 * ```
 */
export const frugal = optimizer(
  "frugal",
  {
    /** Learning rate. */
    lr: 1e-3,
    /** Share of the smaller side of a matrix that has moments. */
    share: 0.25,
    /** How the subspace is chosen. */
    select: "columns" as "columns" | "svd",
    /** Steps from one subspace to the next. */
    every: 200,
    /** The rate of the signs, as a share of `lr`. */
    signs: 1,
    /** Rounds of orthogonal iteration. */
    rounds: 12,
    /** Share of the running mean that is kept. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Added to the root of the mean square. */
    epsilon: 1e-8,
    /** Pull of the matrices towards 0, decoupled. */
    weightDecay: 0,
  },
  (options) => {
    const { lr, share, select, every, signs, rounds, beta1, beta2, epsilon, weightDecay } = options;
    needShare("frugal", "share", share);
    needOneOf("frugal", "select", select, ["columns", "svd"]);
    needWhole("frugal", "every", every);
    needWhole("frugal", "rounds", rounds);
    const rankOf = ([inputs, outputs]: readonly number[]): number =>
      Math.max(1, Math.round(share * Math.min(inputs!, outputs!)));
    const moved = (had: Held, gradient: tf.Tensor, left: Left, due: tf.Tensor, rng: Rng | null) => {
      const g = matrixOf(gradient);
      const [small, rank] = had.basis.shape;
      const drawn = select === "columns" ? drawnAxes(small, rank, rng) : undefined;
      const next = when(
        due,
        (at) => ({
          g: at.g,
          basis: drawn ?? leading(at.g, at.basis, rounds),
          mean: tf.zerosLike(at.mean),
          square: tf.zerosLike(at.square),
        }),
        { g, basis: had.basis, ...had.moments },
      );
      const low = into(g, next.basis);
      const [direction, moments] = adamOf(low, next, left, options);
      const rest = tf.sub(g, outOf(low, next.basis, g.shape));
      // of drawn axes the rest is 0 where the subspace is; of others what rounding leaves there has no direction
      const floor = tf.mul(tf.max(tf.abs(g)), 1e-6);
      const sign = tf.where(tf.greater(tf.abs(rest), floor), tf.sign(rest), tf.zerosLike(rest));
      const step = tf.add(outOf(direction as tf.Tensor2D, next.basis, g.shape), tf.mul(sign, signs));
      return [tf.reshape(step, gradient.shape), { basis: next.basis, moments } as Held] as const;
    };
    const own: MatrixParts = {
      sees: ["noise"],
      init: (matrices): Tree =>
        ({
          taken: tf.scalar(0),
          left1: tf.scalar(0),
          left2: tf.scalar(0),
          held: byPath(matrices, (_, w) => {
            const { basis, low } = emptySubspace(matrixOf(w).shape, rankOf(matrixOf(w).shape));
            return { basis, moments: { mean: tf.zerosLike(low), square: tf.zerosLike(low) } };
          }),
        }) as unknown as Tree,
      update(grads, state, matrices, rate, seen) {
        const had = state as unknown as State;
        const due = tf.equal(tf.mod(had.taken, every), 0);
        const fresh = tf.where(due, tf.scalar(0), tf.scalar(1));
        const left = leftAfter({ left1: tf.mul(had.left1, fresh), left2: tf.mul(had.left2, fresh) }, beta1, beta2);
        const steps = byPath(grads, (path, g) =>
          moved(had.held[path]!, g, left, due, seen?.rng?.at("columns", path) ?? null),
        );
        const updates = byPath(grads, (path) => tf.mul(steps[path]![0], tf.neg(rate)));
        const next = { taken: tf.add(had.taken, 1), ...left, held: byPath(grads, (path) => steps[path]![1]) };
        return [pulled(updates, matrices, rate, weightDecay) as Flat, next as unknown as Tree];
      },
    };
    return onMatrices(own, adam({ lr, beta1, beta2, epsilon }), 1);
  },
);

/** Some of the axes of a side, drawn at random, as a basis of it; the first ones where nothing may be random. */
function drawnAxes(side: number, count: number, rng: Rng | null): tf.Tensor2D {
  const order = rng === null ? tf.range(side, 0, -1) : rng.uniforms([side]);
  const { indices } = tf.topk(order, count);
  return tf.transpose(tf.gather(tf.eye(side), indices)) as tf.Tensor2D;
}
