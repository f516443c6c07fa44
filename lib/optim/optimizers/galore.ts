import { needOneOf, needShare, needWhole } from "../../data/options.ts";
import { type Tree, tf, valueAndGrad, when } from "../../engine/index.ts";
import { optimizer } from "../optimizer.ts";
import { byPath, type MatrixParts, matrixOf, onMatrices } from "../parts/matrices.ts";
import { pulled } from "../parts/moments.ts";
import { solved } from "../parts/solved.ts";
import type { Flat } from "../parts/subset.ts";
import { adamOf, emptySubspace, into, type Left, leading, leftAfter, type Moments, outOf } from "../parts/subspace.ts";
import { adam } from "./adam.ts";

type Held = {
  readonly basis: tf.Tensor2D;
  readonly moments: Moments;
  /** The basis' own moments, where it learns. */
  readonly learning?: Moments;
  /** `[history, numbers]`: the last gradients in the subspace, the newest last, where they say what the curvature is. */
  readonly history?: tf.Tensor2D;
};
type State = Left & { readonly taken: tf.Tensor; readonly held: { readonly [path: string]: Held } };

/**
 * GaLore: Adam in a subspace of each matrix's gradient, of `rank` directions on its smaller side, so that its moments need `rank / side` of
 * Adam's memory. Everything else, the head with it, moves by plain adam at the same rate.
 *
 * The subspace is that of the largest singular values of the gradient. With `subspace: "svd"` it is computed anew every `every` steps; with
 * "online" it learns at every step: an Adam step of rate `1 / every` from the second on on `‖Ĝ − Ĝ P Pᵀ‖²` of the gradient of length 1 plus
 * `penalty · ‖Pᵀ P − 1‖²`. With `history` above 0 the gradient is natural: divided by the empirical Fisher matrix `damping · 1 + Σ g gᵀ` over
 * that many last gradients in the subspace, by Woodbury's identity.
 *
 * Implements: P025 Natural GaLore
 * Implements: P218 Online Subspace Descent
 *
 * Zhao et al. 2024, "GaLore", arXiv:2403.03507, algorithm 2; Liang et al. 2024, "Memory-efficient LLM training with online subspace descent",
 * arXiv:2408.12857, section 4; Das 2024, "Natural GaLore", arXiv:2410.16029, section 3. Differs from the papers: singular vectors are found
 * by `rounds` of orthogonal iteration from the last ones, or from the first axes; matrices of convolutions are flattened. A subspace that learns has a rate
 * of its own, where theirs follows the weights' schedule, and no decay of its basis; its program has that decay (0.01) in place of the penalty on lengths, which
 * is `penalty: 0` here. The natural gradient's program keeps 20 gradients, at the damping that is the default here.
 *
 * @example
 * ```ts
 * import { galore } from "thalweg";
 * galore({ rank: 8, subspace: "online" }).rate; // 0.01
 * galore({ rank: 8, history: 5 });
 * ```
 */
export const galore = optimizer(
  "galore",
  {
    /** Learning rate. */
    lr: 0.01,
    /** Directions that are kept of the smaller side of a matrix. */
    rank: 8,
    /** What the step of a matrix is multiplied with. */
    scale: 0.25,
    /** How the subspace follows the gradients. */
    subspace: "svd" as "svd" | "online",
    /** Steps from one subspace to the next, or one over the rate at which it learns. */
    every: 200,
    /** Rounds of orthogonal iteration. */
    rounds: 12,
    /** How much it matters to a subspace that learns that its directions have length 1 and stand upright on each other. */
    penalty: 0.1,
    /** Gradients whose squares are the curvature; 0 for none. */
    history: 0,
    /** What is added to the curvature. */
    damping: 1e-3,
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
    const { lr, rank, scale, subspace, every, rounds, penalty, history, damping, beta1, beta2, epsilon } = options;
    needWhole("galore", "rank", rank);
    needOneOf("galore", "subspace", subspace, ["svd", "online"]);
    needWhole("galore", "every", every);
    needWhole("galore", "rounds", rounds);
    needWhole("galore", "history", history, 0);
    needShare("galore", "beta1", beta1);
    needShare("galore", "beta2", beta2);
    if (!(scale > 0)) throw new RangeError(`galore: a scale above 0 is required, got ${scale}`);
    if (!(damping > 0)) throw new RangeError(`galore: a damping above 0 is required, got ${damping}`);
    /** The basis after one Adam step on how much of the gradient it leaves out. */
    const learned = (g: tf.Tensor2D, basis: tf.Tensor2D, moments: Moments, left: Left) => {
      const length = tf.div(g, tf.maximum(tf.norm(g), 1e-30)) as tf.Tensor2D;
      const leaves = (p: tf.Tensor2D): tf.Tensor => {
        const gram = tf.sub(tf.matMul(p, p, true, false), tf.eye(p.shape[1]));
        const lost = tf.sub(outOf(into(length, p), p, g.shape), length);
        return tf.add(tf.sum(tf.square(lost)), tf.mul(tf.sum(tf.square(gram)), penalty));
      };
      // the first gradient made the basis: what is left of it is rounding, which teaches nothing
      const begun = tf.greater(left.left1, 0);
      const known = { left1: tf.maximum(left.left1, 1e-30), left2: left.left2 };
      const grads = tf.mul(valueAndGrad(leaves, basis).grads, tf.cast(begun, "float32"));
      const [direction, next] = adamOf(grads, moments, known, options);
      return [tf.sub(basis, tf.div(direction, every)) as tf.Tensor2D, next] as const;
    };
    const init = (w: tf.Tensor): Held => {
      const { basis, low } = emptySubspace(matrixOf(w).shape, rank);
      const empty = (like: tf.Tensor): Moments => ({ mean: tf.zerosLike(like), square: tf.zerosLike(like) });
      return {
        basis,
        moments: empty(low),
        ...(subspace === "online" && { learning: empty(basis) }),
        ...(history > 0 && { history: tf.zeros([history, low.size]) as tf.Tensor2D }),
      };
    };
    const moved = (had: Held, gradient: tf.Tensor, before: State, left: Left): readonly [tf.Tensor, Held] => {
      const { taken } = before;
      const g = matrixOf(gradient);
      const due = subspace === "online" ? tf.equal(taken, 0) : tf.equal(tf.mod(taken, every), 0);
      // the gradient is part of the state, so that nothing is computed of it where no new basis is due
      const found = when(due, (at) => ({ g: at.g, basis: leading(at.g, at.basis, rounds) }), { g, basis: had.basis });
      const [basis, learning] = had.learning
        ? learned(g, found.basis, had.learning, before)
        : ([found.basis, undefined] as const);
      // the basis that a gradient is projected by is the one before it teaches it
      const own = found.basis;
      const low = into(g, own);
      const past = had.history && newest(had.history, low);
      const known = past ? naturally(low, past, damping) : low;
      const [direction, moments] = adamOf(known, had.moments, left, options);
      const step = tf.mul(tf.reshape(outOf(direction as tf.Tensor2D, own, g.shape), gradient.shape), scale);
      return [step, { basis, moments, ...(learning && { learning }), ...(past && { history: past }) }];
    };
    const own: MatrixParts = {
      init: (matrices): Tree =>
        ({
          taken: tf.scalar(0),
          left1: tf.scalar(0),
          left2: tf.scalar(0),
          held: byPath(matrices, (_, w) => init(w)),
        }) as unknown as Tree,
      update(grads, state, matrices, rate) {
        const had = state as unknown as State;
        const left = leftAfter(had, beta1, beta2);
        const steps = byPath(grads, (path, g) => moved(had.held[path]!, g, had, left));
        const updates = byPath(grads, (path) => tf.mul(steps[path]![0], tf.neg(rate)));
        const next = { taken: tf.add(had.taken, 1), ...left, held: byPath(grads, (path) => steps[path]![1]) };
        return [pulled(updates, matrices, rate, options.weightDecay) as Flat, next as unknown as Tree];
      },
    };
    return onMatrices(own, adam({ lr, beta1, beta2, epsilon }), 1);
  },
);

/** The last gradients with one more, in place of the oldest. */
function newest(history: tf.Tensor2D, low: tf.Tensor2D): tf.Tensor2D {
  const [count, size] = history.shape;
  const own = tf.reshape(low, [1, size]) as tf.Tensor2D;
  return count === 1 ? own : tf.concat([tf.slice(history, [1, 0], [count - 1, size]), own], 0);
}

/** `(damping · 1 + Σ g gᵀ)⁻¹ g` over the last gradients, by a system of as many equations as there are gradients. */
function naturally(g: tf.Tensor, rows: tf.Tensor2D, damping: number): tf.Tensor {
  const flat = tf.reshape(g, [g.size, 1]) as tf.Tensor2D;
  const inner = tf.add(tf.matMul(rows, rows, false, true), tf.mul(tf.eye(rows.shape[0]), damping));
  const weights = solved(inner as tf.Tensor2D, tf.matMul(rows, flat));
  const across = tf.reshape(tf.matMul(rows, weights, true, false), g.shape);
  return tf.div(tf.sub(g, across), damping);
}
