import { needShare, needWhole } from "../../data/options.ts";
import { type Tree, tf, when } from "../../engine/index.ts";
import { decayed, type LayerSeen, optimizer } from "../optimizer.ts";
import { layersOf, type WholeLayer, wholeGradient, wholeStep } from "../parts/dense-layers.ts";
import { byPath } from "../parts/matrices.ts";
import { type Flat, subset, withSubset } from "../parts/subset.ts";

/** The inverses of the running factors of a layer: of its inputs with a 1 for the bias, and of its output gradients. */
type Held = { readonly before: tf.Tensor2D; readonly after: tf.Tensor2D };
type State = {
  readonly taken: tf.Tensor;
  readonly velocity: Flat;
  readonly layers: { readonly [layer: string]: Held };
};

/**
 * MKOR: K-FAC whose factors gain one vector's square for each batch, of the mean input ā and of the mean output gradient ḡ of a layer,
 * so that their inverses follow by Sherman and Morrison's formula in `d²` operations, and can be renewed often.
 *
 * `L⁻¹ ← (M⁻¹ + ḡḡᵀ)⁻¹ = M − M ḡḡᵀ M / (1 + ḡᵀ M ḡ)` with `M = γ L⁻¹ + (1 − γ)`, the same for R with ā; the step `L⁻¹ ∇ R⁻¹` has the length of ∇. An inverse whose greatest sum
 * of a row is above `bound` goes a share of the way back to 1. What belongs to no fully connected layer moves along its gradient.
 *
 * Implements: P128 MKOR
 *
 * Mozaffari et al. 2023, "MKOR: momentum-enabled Kronecker-factor-based optimizer using rank-1 updates", arXiv:2306.01685, with the renewal
 * of the authors' program (Mohammad-Mozaffari/mkor). Differs from the paper: its equations for the renewal have other constants and no way back to 1;
 * momentum is that of plain descent; the hybrid that falls back to a first-order method is not there. Differs from the program: means are not clipped at 100.
 *
 * @example
 * ```ts
 * import { mkor } from "thalweg";
 * mkor({ lr: 0.1, every: 1 }).sees; // ["layers"]
 * ```
 */
export const mkor = optimizer(
  "mkor",
  {
    /** Learning rate. */
    lr: 0.05,
    /** γ: share of the inverses that is kept, the rest being 1. */
    decay: 0.95,
    /** Steps from one renewal of the inverses to the next. */
    every: 10,
    /** Share of the last step that is kept, in [0, 1). */
    momentum: 0.9,
    /** The greatest sum of a row of an inverse that is left as it is. */
    bound: 100,
    /** The share of such an inverse that is kept, the rest being 1. */
    back: 0.9,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ decay, every, momentum, bound, back, weightDecay }) => {
    needShare("mkor", "decay", decay, "open");
    needShare("mkor", "back", back);
    needWhole("mkor", "every", every);
    if (!(bound > 0)) throw new RangeError(`mkor: a bound above 0 is required, got ${bound}`);
    const steadied = (inverse: tf.Tensor2D): tf.Tensor2D => {
      const far = tf.greater(tf.max(tf.sum(tf.abs(inverse), 1)), bound);
      const near = tf.add(tf.mul(inverse, back), tf.mul(tf.eye(inverse.shape[0]), 1 - back));
      return tf.where(far, near, inverse) as tf.Tensor2D;
    };
    const renewed = (inverse: tf.Tensor2D, vector: tf.Tensor2D): tf.Tensor2D => {
      const kept = tf.add(tf.mul(inverse, decay), tf.mul(tf.eye(inverse.shape[0]), 1 - decay));
      const through = tf.matMul(kept, vector, false, true);
      const outer = tf.matMul(through, through, false, true);
      return tf.sub(kept, tf.div(outer, tf.add(tf.matMul(vector, through), 1))) as tf.Tensor2D;
    };
    return {
      sees: ["layers"],
      init(params): Tree {
        const flat = subset(params, () => true);
        const layers = layersOf(flat).map(({ layer, wide, outputs }) => [
          layer,
          { before: tf.eye(wide), after: tf.eye(outputs) },
        ]);
        const velocity = momentum === 0 ? {} : byPath(flat, (_, w) => tf.zerosLike(w));
        return { taken: tf.scalar(0), velocity, layers: Object.fromEntries(layers) };
      },
      update(grads, state, params, rate, seen) {
        if (seen === undefined) throw new TypeError("mkor: a step that shows its layers is required, got none");
        const had = state as unknown as State;
        const flat = subset(decayed(grads, params, weightDecay), () => true);
        const due = tf.equal(tf.mod(had.taken, every), 0);
        const moved: Record<string, tf.Tensor> = {};
        const layers = { ...had.layers };
        for (const whole of layersOf(flat)) {
          const passes = seen.layers[whole.layer];
          if (passes === undefined) continue;
          const { input, gradient } = meansOf(passes, whole);
          const held = when(
            due,
            ({ before, after }) => ({
              before: renewed(steadied(before), input),
              after: renewed(steadied(after), gradient),
            }),
            had.layers[whole.layer]!,
          );
          layers[whole.layer] = held;
          const slope = wholeGradient(flat, whole);
          const natural = tf.matMul(tf.matMul(held.before, slope), held.after);
          const length = tf.div(tf.norm(slope), tf.maximum(tf.norm(natural), 1e-30));
          Object.assign(moved, wholeStep(tf.mul(natural, length) as tf.Tensor2D, whole));
        }
        const direction = { ...flat, ...moved };
        const velocity =
          momentum === 0 ? {} : byPath(had.velocity, (path, v) => tf.add(tf.mul(v, momentum), direction[path]!));
        const updates = byPath(momentum === 0 ? direction : velocity, (_, v) => tf.mul(v, tf.neg(rate)));
        const next = { taken: tf.add(had.taken, 1), velocity, layers };
        return [withSubset(params, updates, (leaf) => leaf), next as unknown as Tree];
      },
    };
  },
);

/** The mean input of a layer, with a 1 where there is a bias, and the mean of the rows' own gradients at its outputs: `[1, d]` each. */
function meansOf(passes: readonly LayerSeen[], { biased }: WholeLayer) {
  const rowsOf = (of: tf.Tensor): tf.Tensor2D => tf.reshape(of, [of.size / of.shape.at(-1)!, of.shape.at(-1)!]);
  const joined = (all: readonly tf.Tensor2D[]): tf.Tensor2D => (all.length === 1 ? all[0]! : tf.concat([...all], 0));
  const x = joined(passes.map(({ input }) => rowsOf(input)));
  const mean = tf.mean(x, 0, true) as tf.Tensor2D;
  const input = biased ? (tf.concat([mean, tf.ones([1, 1])], 1) as tf.Tensor2D) : mean;
  // a step shows 1/n of each row's own gradient: their sum is the mean of the rows' own
  const gradient = tf.sum(joined(passes.map(({ gradient: g }) => rowsOf(g))), 0, true) as tf.Tensor2D;
  return { input, gradient };
}
