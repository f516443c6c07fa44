import { needShare, needWhole } from "../../data/options.ts";
import { type Tree, tf, when } from "../../engine/index.ts";
import { optimizer } from "../optimizer.ts";
import { inverseRoot } from "../parts/bases.ts";
import { byPath, type MatrixParts, matrixOf, onMatrices } from "../parts/matrices.ts";
import { normalRounded } from "../parts/normal-float.ts";
import type { Flat } from "../parts/subset.ts";
import {
  adamOf,
  emptySubspace,
  fromRight,
  into,
  type Left,
  leading,
  leftAfter,
  type Moments,
  outOf,
} from "../parts/subspace.ts";
import { adam } from "./adam.ts";

type Held = {
  /** The factor that stays from one merge to the next, and the one that is trained. */
  readonly basis: tf.Tensor2D;
  readonly low: tf.Tensor2D;
  readonly moments: Moments;
};
type State = Left & {
  /** Steps so far, merges so far, and the step of the next one. */
  readonly taken: tf.Tensor;
  readonly merges: tf.Tensor;
  readonly next: tf.Tensor;
  readonly held: { readonly [path: string]: Held };
};

/**
 * LoQT: a matrix is `Q + scale · P B`, of which Q has four bits, P is a few directions of a gradient, and B alone moves, by Adam. Now and then the
 * sum is merged into Q, and there are new directions. Everything else, the head with it, moves by plain adam at the same rate.
 *
 * At a merge P becomes the singular vectors of the `rank` largest singular values of the gradient, on the matrix's smaller side, and Q and B
 * are found together: in each of `compensate` rounds Q is what is left of the sum without `scale · P B`, rounded to NF4, and B what comes nearest
 * to the sum beside that Q; the best round counts. With 0 rounds B is 0. The first step merges, the next merge is `every` steps later, and the
 * gap after the k-th of these is `every + growth ** k`, rounded down. Nothing else moves a matrix in the step of a merge,
 * and at a rate of 0 a merge waits.
 *
 * Implements: P105 LoQT
 *
 * Loeschcke et al. 2024, "LoQT: low-rank adapters for quantized pretraining", arXiv:2405.16528, and the authors' program, whose defaults for
 * pretraining these are. Differs from the program: the gradient at a merge is that of the sum before it is rounded, and Adam rests then; singular
 * vectors are found by `rounds` of orthogonal iteration; a square matrix is cut on its outputs' side; and as everywhere in the library numbers
 * of four bits are computed with as if they were single ones, whose gradients are whole, so that neither memory nor time is saved here.
 *
 * @example
 * ```ts
 * import { loqt } from "thalweg";
 * loqt({ rank: 8, every: 50 }).rate; // 0.01
 * ```
 */
export const loqt = optimizer(
  "loqt",
  {
    /** Learning rate. */
    lr: 0.01,
    /** Directions on the smaller side of a matrix. */
    rank: 8,
    /** What the product of the factors is multiplied by. */
    scale: 0.4,
    /** Steps from a merge to the next, but for what the gaps come to have more. */
    every: 100,
    /** By what the rest of a gap is multiplied at each merge; 1 for gaps that are all of one length, and a step. */
    growth: 1.2,
    /** Rounds in which Q and B are found together; 0 where B begins as 0. */
    compensate: 5,
    /** Numbers that share a scale. */
    block: 64,
    /** Whether P has four bits as well. */
    roundBasis: true,
    /** Rounds of orthogonal iteration. */
    rounds: 12,
    /** Share of the running mean that is kept. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Added to the root of the mean square. */
    epsilon: 1e-6,
  },
  (options) => {
    const { lr, rank, scale, every, growth, compensate, block, roundBasis, rounds, beta1, beta2, epsilon } = options;
    needWhole("loqt", "rank", rank);
    needWhole("loqt", "every", every);
    needWhole("loqt", "compensate", compensate, 0);
    needWhole("loqt", "block", block);
    needWhole("loqt", "rounds", rounds);
    needShare("loqt", "beta1", beta1);
    needShare("loqt", "beta2", beta2);
    if (!(scale > 0)) throw new RangeError(`loqt: a scale above 0 is required, got ${scale}`);
    if (!(growth >= 1)) throw new RangeError(`loqt: a growth of at least 1 is required, got ${growth}`);
    type Merged = {
      readonly g: tf.Tensor2D;
      readonly w: tf.Tensor2D;
      readonly basis: tf.Tensor2D;
      readonly low: tf.Tensor2D;
    };
    const merged = ({ g, w, basis: had }: Merged): Merged => {
      const exact = leading(g, had, rounds);
      const basis = roundBasis ? normalRounded(exact, block) : exact;
      const product = (low: tf.Tensor2D): tf.Tensor2D => tf.mul(outOf(low, basis, w.shape), scale) as tf.Tensor2D;
      const begun = into(tf.zerosLike(w), basis);
      if (compensate === 0) return { g, w: normalRounded(w, block), basis, low: begun };
      const inverse = roundBasis ? gramInverse(basis) : null;
      let best: { readonly w: tf.Tensor2D; readonly low: tf.Tensor2D; readonly lost: tf.Tensor } | undefined;
      let low = begun;
      for (let round = 0; round < compensate; round++) {
        const q = normalRounded(tf.sub(w, product(low)), block);
        const along = into(tf.sub(w, q), basis);
        const near = inverse === null ? along : nearest(along, inverse, w.shape);
        low = tf.div(near, scale) as tf.Tensor2D;
        const sum = tf.add(q, product(low)) as tf.Tensor2D;
        const now = { w: sum, low, lost: tf.sum(tf.squaredDifference(w, sum)) };
        const better = best === undefined ? null : tf.less(now.lost, best.lost);
        const chosen = (a: tf.Tensor, b: tf.Tensor): tf.Tensor2D => tf.where(better!, a, b) as tf.Tensor2D;
        best =
          best === undefined
            ? now
            : { w: chosen(now.w, best.w), low: chosen(low, best.low), lost: tf.minimum(now.lost, best.lost) };
      }
      return { g, w: best!.w, basis, low: best!.low };
    };
    const init = (w: tf.Tensor): Held => {
      const { basis, low } = emptySubspace(matrixOf(w).shape, rank);
      return { basis, low: low as tf.Tensor2D, moments: { mean: tf.zerosLike(low), square: tf.zerosLike(low) } };
    };
    const moved = (had: Held, gradient: tf.Tensor, weight: tf.Tensor, due: tf.Tensor, left: Left, rate: tf.Tensor) => {
      const [g, w] = [matrixOf(gradient), matrixOf(weight)];
      const now = when(due, merged, { g, w, basis: had.basis, low: had.low });
      const slope = tf.mul(into(g, had.basis), scale);
      const [direction, moments] = adamOf(slope, had.moments, left, { beta1, beta2, epsilon });
      const rests = tf.greater(due, 0);
      const unless = (was: tf.Tensor, then: tf.Tensor): tf.Tensor => tf.where(rests, was, then);
      const step = unless(tf.zerosLike(direction), tf.mul(direction, tf.neg(rate))) as tf.Tensor2D;
      const jump = tf.sub(now.w, w);
      const update = tf.add(jump, tf.mul(outOf(step, had.basis, w.shape), scale));
      const next: Held = {
        basis: now.basis,
        low: tf.add(now.low, step),
        moments: {
          mean: unless(had.moments.mean, moments.mean),
          square: unless(had.moments.square, moments.square),
        },
      };
      return [tf.reshape(update, gradient.shape), next] as const;
    };
    const own: MatrixParts = {
      init: (matrices): Tree =>
        ({
          taken: tf.scalar(0),
          merges: tf.scalar(0),
          next: tf.scalar(0),
          left1: tf.scalar(0),
          left2: tf.scalar(0),
          held: byPath(matrices, (_, w) => init(w)),
        }) as unknown as Tree,
      update(grads, state, matrices, rate) {
        const had = state as unknown as State;
        const due = tf.cast(tf.logicalAnd(tf.greaterEqual(had.taken, had.next), tf.greater(rate, 0)), "float32");
        const after = leftAfter(had, beta1, beta2);
        const known = { left1: tf.maximum(after.left1, 1e-30), left2: after.left2 };
        const steps = byPath(grads, (path, g) => moved(had.held[path]!, g, matrices[path]!, due, known, rate));
        const more = tf.where(tf.greater(had.merges, 0), tf.floor(tf.add(tf.pow(growth, had.merges), 1e-4)), 0);
        const rests = tf.greater(due, 0);
        const next = {
          taken: tf.add(had.taken, 1),
          merges: tf.add(had.merges, due),
          next: tf.where(rests, tf.add(had.taken, tf.add(more, every)), had.next),
          left1: tf.where(rests, had.left1, after.left1),
          left2: tf.where(rests, had.left2, after.left2),
          held: byPath(grads, (path) => steps[path]![1]),
        };
        return [byPath(grads, (path) => steps[path]![0]) as Flat, next as unknown as Tree];
      },
    };
    return { ...onMatrices(own, adam({ lr, beta1, beta2, epsilon }), 1), last: true };
  },
);

/** `(Pᵀ P)⁻¹` of directions that are nearly orthonormal. */
function gramInverse(basis: tf.Tensor2D): tf.Tensor2D {
  const root = inverseRoot(tf.matMul(basis, basis, true, false), 2, 1e-6);
  return tf.matMul(root, root);
}

/** The factor whose product with the basis comes nearest to a matrix, from the matrix's share along the basis. */
function nearest(along: tf.Tensor2D, inverse: tf.Tensor2D, shape: readonly number[]): tf.Tensor2D {
  return fromRight(shape) ? tf.matMul(along, inverse) : tf.matMul(inverse, along);
}
