import { needShare, needWhole } from "../../data/options.ts";
import { type Tree, tf, when } from "../../engine/index.ts";
import { optimizer } from "../optimizer.ts";
import { orthonormal } from "../parts/bases.ts";
import { byPath, matrixOf } from "../parts/matrices.ts";
import { pulled, remaining } from "../parts/moments.ts";
import { subset, withSubset } from "../parts/subset.ts";

/** What is held of a tensor: running moments, and of a matrix the second moments of its two sides with their eigenvectors, or one of them. */
type Held = { readonly mean: tf.Tensor; readonly square: tf.Tensor; readonly moments: Sides; readonly bases: Sides };
type Sides = { readonly inputs?: tf.Tensor2D; readonly outputs?: tf.Tensor2D };
type State = {
  readonly taken: tf.Tensor;
  readonly left1: tf.Tensor;
  readonly left2: tf.Tensor;
  readonly held: { readonly [path: string]: Held };
};

/**
 * SOAP: Adam in the eigenbasis of Shampoo. The gradient of a matrix is turned to where its second moments `L` and `R` are diagonal, Adam's mean
 * square is kept there, and the step is turned back.
 *
 * Every `every` steps the bases are refined by one round of orthogonal iteration, `Q ← QR(L Q)`, largest directions first. A side larger than
 * `largest` is left as it is; vectors move by Adam. Weight decay is decoupled.
 *
 * Vyas et al. 2024, "SOAP: improving and stabilizing Shampoo using Adam", arXiv:2409.11321, algorithms 3 and 4. Differs from the paper: the
 * bases begin as the axes and the first step is Adam's, where the authors' program computes eigenvectors and leaves that step out; tensors of
 * more axes have two sides.
 *
 * @example
 * ```ts
 * import { soap } from "thalweg";
 * soap({ lr: 0.003, every: 10 }).rate; // 0.003
 * ```
 */
export const soap = optimizer(
  "soap",
  {
    /** Learning rate. */
    lr: 3e-3,
    /** Share of the running mean that is kept. */
    beta1: 0.95,
    /** Share of the running mean square that is kept. */
    beta2: 0.95,
    /** Share of the second moments of the sides that is kept. */
    decay: 0.95,
    /** Added to the root of the mean square. */
    epsilon: 1e-8,
    /** Steps from one refinement of the bases to the next. */
    every: 10,
    /** The largest side with a basis of its own; its columns are made orthogonal one after the other. */
    largest: 512,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ beta1, beta2, decay, epsilon, every, largest, weightDecay }) => {
    needShare("soap", "beta1", beta1);
    needShare("soap", "beta2", beta2);
    needShare("soap", "decay", decay);
    needWhole("soap", "every", every);
    needWhole("soap", "largest", largest);
    const sides = (of: tf.Tensor, each: (size: number) => tf.Tensor2D): Sides => {
      if (of.rank < 2) return {};
      const [inputs, outputs] = matrixOf(of).shape;
      return {
        ...(inputs <= largest && { inputs: each(inputs) }),
        ...(outputs <= largest && { outputs: each(outputs) }),
      };
    };
    const blend = (old: tf.Tensor, now: tf.Tensor, keep: number): tf.Tensor2D =>
      tf.add(tf.mul(old, keep), tf.mul(now, 1 - keep)) as tf.Tensor2D;
    const init = (w: tf.Tensor): Held => {
      const own = w.rank < 2 ? w : matrixOf(w);
      return {
        mean: tf.zerosLike(own),
        square: tf.zerosLike(own),
        moments: sides(w, (n) => tf.zeros([n, n])),
        bases: sides(w, (n) => tf.eye(n)),
      };
    };
    const moved = (had: Held, gradient: tf.Tensor, state: State): readonly [direction: tf.Tensor, next: Held] => {
      const g = gradient.rank < 2 ? gradient : matrixOf(gradient);
      const mean = blend(had.mean, g, beta1);
      const square = blend(had.square, tf.square(turned(g, had.bases)), beta2);
      const [left1, left2] = [remaining(state.left1, beta1), remaining(state.left2, beta2)];
      const root = tf.add(tf.sqrt(tf.div(square, left2)), epsilon);
      const own = turned(tf.div(turned(tf.div(mean, left1), had.bases), root), had.bases, true);
      const direction = tf.reshape(own, gradient.shape);
      const { inputs, outputs } = had.moments;
      if (!inputs && !outputs) return [direction, { ...had, mean, square }];
      const matrix = g as tf.Tensor2D;
      const moments: Sides = {
        ...(inputs && { inputs: blend(inputs, tf.matMul(matrix, matrix, false, true), decay) }),
        ...(outputs && { outputs: blend(outputs, tf.matMul(matrix, matrix, true, false), decay) }),
      };
      const due = tf.equal(tf.mod(tf.add(state.taken, 1), every), 0);
      const next = when(due, refined, { moments, bases: had.bases, square });
      return [direction, { mean, square: next.square, moments, bases: next.bases }];
    };
    return {
      init: (params): Tree =>
        ({
          taken: tf.scalar(0),
          left1: tf.scalar(0),
          left2: tf.scalar(0),
          held: byPath(
            subset(params, () => true),
            (_, w) => init(w),
          ),
        }) as unknown as Tree,
      update(grads, state, params, rate) {
        const had = state as unknown as State;
        const flat = subset(grads, () => true);
        const steps = byPath(flat, (path, g) => moved(had.held[path]!, g, had));
        const down = tf.neg(rate);
        const updates = withSubset(
          params,
          byPath(flat, (path) => tf.mul(steps[path]![0], down)),
          (leaf) => leaf,
        );
        const next = {
          taken: tf.add(had.taken, 1),
          left1: remaining(had.left1, beta1),
          left2: remaining(had.left2, beta2),
          held: byPath(flat, (path) => steps[path]![1]),
        };
        return [pulled(updates, params, rate, weightDecay), next as unknown as Tree];
      },
    };
  },
);

/** A matrix in the bases of its sides, or back from there. */
function turned(of: tf.Tensor, { inputs, outputs }: Sides, back = false): tf.Tensor {
  const left = inputs ? tf.matMul(inputs, of as tf.Tensor2D, !back, false) : of;
  return outputs ? tf.matMul(left as tf.Tensor2D, outputs, false, back) : left;
}

type Turning = { readonly moments: Sides; readonly bases: Sides; readonly square: tf.Tensor };

/** Bases after one round of orthogonal iteration, sorted by how much lies along each direction; the mean square follows the order. */
function refined({ moments, bases, square }: Turning): Turning {
  let sorted = square;
  const next: { inputs?: tf.Tensor2D; outputs?: tf.Tensor2D } = {};
  for (const [side, axis] of [
    ["inputs", 0],
    ["outputs", 1],
  ] as const) {
    const [moment, basis] = [moments[side], bases[side]];
    if (!moment || !basis) continue;
    const onto = tf.matMul(moment, basis);
    const along = tf.sum(tf.mul(basis, onto), 0);
    const { indices } = tf.topk(along, moment.shape[0], true);
    sorted = tf.gather(sorted, indices, axis);
    // a little of the basis itself, which changes no eigenvector, so that directions without a gradient stay as they were
    const little = tf.mul(tf.max(along), 1e-6);
    next[side] = orthonormal(tf.gather(tf.add(onto, tf.mul(basis, little)), indices, 1) as tf.Tensor2D);
  }
  return { moments, bases: next, square: sorted };
}
