import { needShare, needWhole } from "../../data/options.ts";
import { type Tree, tf, when } from "../../engine/index.ts";
import { decayed, optimizer } from "../optimizer.ts";
import { inverseRoot } from "../parts/bases.ts";
import { byPath, matrixOf } from "../parts/matrices.ts";
import { type Flat, subset, withSubset } from "../parts/subset.ts";

/** What is held of a tensor: its AdaGrad sums, and of a matrix the moments of its two sides with their inverse roots, or one of them. */
type Held = { readonly squares: tf.Tensor; readonly moments: Sides; readonly roots: Sides };
type Sides = { readonly [side in "inputs" | "outputs"]?: tf.Tensor2D };
type State = { readonly taken: tf.Tensor; readonly velocity: Flat; readonly held: { readonly [path: string]: Held } };

/**
 * Shampoo: a matrix steps along `L^(−¼) G R^(−¼)` with the sums `L = Σ G Gᵀ` and `R = Σ Gᵀ G`: AdaGrad with a curvature for each side in place
 * of one number for each weight. The length of the step is that of AdaGrad's own; vectors move as AdaGrad has them.
 *
 * Roots are computed every `every` steps. A side larger than `largest` has no matrix, the exponent of the other is then ½. Kernels of
 * convolutions are matrices from a window's numbers to filters.
 *
 * Gupta, Koren and Singer 2018, "Shampoo", arXiv:1802.09568, algorithm 1; the length of another optimizer's step ("grafting") and old roots are
 * those of Anil et al. 2021, arXiv:2002.09018, section 4. Differs from the paper: tensors of more axes have two sides, not one for each axis.
 *
 * @example
 * ```ts
 * import { shampoo } from "thalweg";
 * shampoo({ lr: 0.05, every: 20 }).rate; // 0.05
 * ```
 */
export const shampoo = optimizer(
  "shampoo",
  {
    /** Learning rate. */
    lr: 0.05,
    /** Share of the last step that is kept, in [0, 1). */
    momentum: 0,
    /** Share of the sums that is kept; below 1 they are running means. */
    decay: 1,
    /** What the moments begin with on their diagonals. */
    epsilon: 1e-4,
    /** Steps from one computation of the roots to the next. */
    every: 10,
    /** Whether a step has the length of AdaGrad's. */
    graft: true,
    /** The largest side with a matrix of its own. */
    largest: 1024,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ momentum, decay, epsilon, every, graft, largest, weightDecay }) => {
    needShare("shampoo", "momentum", momentum);
    needShare("shampoo", "decay", decay);
    needWhole("shampoo", "every", every);
    needWhole("shampoo", "largest", largest);
    if (!(epsilon > 0)) throw new RangeError(`shampoo: an epsilon above 0 is required, got ${epsilon}`);
    const sides = (of: tf.Tensor, each: (size: number) => tf.Tensor2D): Sides => {
      if (of.rank < 2) return {};
      const [inputs, outputs] = matrixOf(of).shape;
      return {
        ...(inputs <= largest && { inputs: each(inputs) }),
        ...(outputs <= largest && { outputs: each(outputs) }),
      };
    };
    const added = (old: tf.Tensor, now: tf.Tensor): tf.Tensor =>
      decay === 1 ? tf.add(old, now) : tf.add(tf.mul(old, decay), tf.mul(now, 1 - decay));
    const moved = (had: Held, gradient: tf.Tensor, taken: tf.Tensor): readonly [direction: tf.Tensor, next: Held] => {
      const squares = added(had.squares, tf.square(gradient));
      const diagonal = tf.div(gradient, tf.add(tf.sqrt(squares), 1e-10));
      if (Object.keys(had.moments).length === 0) return [diagonal, { ...had, squares }];
      const g = matrixOf(gradient);
      const { inputs, outputs } = had.moments;
      const moments = {
        ...(inputs && { inputs: added(inputs, tf.matMul(g, g, false, true)) as tf.Tensor2D }),
        ...(outputs && { outputs: added(outputs, tf.matMul(g, g, true, false)) as tf.Tensor2D }),
      };
      const p = inputs && outputs ? 4 : 2;
      const { roots } = when(
        tf.equal(tf.mod(taken, every), 0),
        ({ moments }) => ({
          moments,
          roots: byPath(moments as Flat, (_, m) => inverseRoot(m as tf.Tensor2D, p)) as Sides,
        }),
        { moments: moments as Sides, roots: had.roots },
      );
      const left = roots.inputs ? tf.matMul(roots.inputs, g) : g;
      const whole = roots.outputs ? tf.matMul(left, roots.outputs) : left;
      const length = graft ? tf.div(tf.norm(diagonal), tf.maximum(tf.norm(whole), 1e-30)) : tf.scalar(1);
      return [tf.mul(tf.reshape(whole, gradient.shape), length), { squares, moments, roots }];
    };
    return {
      init(params): Tree {
        const flat = subset(params, () => true);
        const held = byPath(flat, (_, w) => ({
          squares: tf.zerosLike(w),
          moments: sides(w, (n) => tf.mul(tf.eye(n), epsilon) as tf.Tensor2D),
          roots: sides(w, (n) => tf.eye(n)),
        }));
        return { taken: tf.scalar(0), velocity: momentum === 0 ? {} : byPath(flat, (_, w) => tf.zerosLike(w)), held };
      },
      update(grads, state, params, rate) {
        const had = state as unknown as State;
        const steps = byPath(
          subset(decayed(grads, params, weightDecay), () => true),
          (path, g) => moved(had.held[path]!, g, had.taken),
        );
        const directions = byPath(had.held as never, (path) => steps[path]![0]);
        const velocity =
          momentum === 0 ? {} : byPath(had.velocity, (path, v) => tf.add(tf.mul(v, momentum), directions[path]!));
        const down = tf.neg(rate);
        const updates = byPath(momentum === 0 ? directions : velocity, (_, v) => tf.mul(v, down));
        const next = { taken: tf.add(had.taken, 1), velocity, held: byPath(directions, (path) => steps[path]![1]) };
        return [withSubset(params, updates, (leaf) => leaf), next as unknown as Tree];
      },
    };
  },
);
