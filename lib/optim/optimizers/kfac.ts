import { needShare, needWhole } from "../../data/options.ts";
import { mapTensors, sumTree, type Tree, tf } from "../../engine/index.ts";
import { decayed, type LayerSeen, optimizer, zeros } from "../optimizer.ts";
import { layersOf, wholeGradient, wholeStep } from "../parts/dense-layers.ts";
import { factorOf, refined } from "../parts/factors.ts";
import { type Flat, subset, withSubset } from "../parts/subset.ts";

/** What is held of a layer: the second moments of its inputs and of its output gradients, and their damped inverses. */
type Held = {
  readonly inputs: tf.Tensor;
  readonly outputs: tf.Tensor;
  readonly before: tf.Tensor;
  readonly after: tf.Tensor;
};
type State = {
  readonly taken: tf.Tensor;
  readonly velocity: Tree;
  readonly layers: { readonly [layer: string]: Held };
};

/**
 * K-FAC: natural gradient descent in which the Fisher matrix of a fully connected layer is taken for the Kronecker product of the second
 * moments of its inputs, with a 1 for the bias, and of the gradients at its outputs: `U = (A + π√λ)⁻¹ ∇ (G + √λ/π)⁻¹`.
 *
 * What belongs to no fully connected layer moves along its gradient. The inverses are refined at every step by a few rounds of Newton's
 * iteration, so that all of it is products of matrices: a layer of d inputs costs about `4 · rounds · d³` operations a step.
 *
 * Martens and Grosse 2015, "Optimizing neural networks with Kronecker-factored approximate curvature", arXiv:1503.05671, sections 3, 5 and 6.3;
 * the bound of a step is that of Ba, Grosse and Martens 2017, section 5. Differs from the paper: moments are of the batch's own labels (the
 * empirical Fisher), not of labels drawn from the model; damping is fixed; momentum is that of plain descent.
 *
 * @example
 * ```ts
 * import { kfac } from "thalweg";
 * kfac({ lr: 0.1, damping: 0.01 }).sees; // ["layers"]
 * ```
 */
export const kfac = optimizer(
  "kfac",
  {
    /** Learning rate. */
    lr: 0.05,
    /** λ: what is added to the curvature. */
    damping: 0.01,
    /** The greatest share of the moments so far that is kept; step k keeps 1 − 1/k until then. */
    decay: 0.95,
    /** Share of the last step that is kept, in [0, 1). */
    momentum: 0.9,
    /** The greatest change of the predictions in a step, `rate² Σ U · ∇`; 0 for any. */
    clip: 0.001,
    /** Rounds of Newton's iteration for the inverses at a step. */
    rounds: 10,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ damping, decay, momentum, clip, rounds, weightDecay }) => {
    if (!(damping > 0)) throw new RangeError(`kfac: a damping above 0 is required, got ${damping}`);
    needShare("kfac", "decay", decay);
    needWhole("kfac", "rounds", rounds);
    return {
      sees: ["layers"],
      init(params): Tree {
        const flat = subset(params, () => true);
        const square = (n: number): tf.Tensor => tf.zeros([n, n]);
        const layers = layersOf(flat).map(({ layer, wide, outputs }) => [
          layer,
          { inputs: square(wide), outputs: square(outputs), before: square(wide), after: square(outputs) },
        ]);
        return { taken: tf.scalar(0), velocity: zeros(params), layers: Object.fromEntries(layers) };
      },
      update(grads, state, params, rate, seen) {
        if (seen === undefined) throw new TypeError("kfac: a step that shows its layers is required, got none");
        const had = state as State;
        const slopes = decayed(grads, params, weightDecay);
        const flat = subset(slopes, () => true);
        const taken = tf.add(had.taken, 1);
        const keep = tf.minimum(tf.sub(1, tf.div(1, taken)), decay);
        const moved: Record<string, tf.Tensor> = {};
        const layers = { ...had.layers };
        for (const whole of layersOf(flat)) {
          const { layer, biased } = whole;
          const passes = seen.layers[layer];
          if (passes === undefined) continue;
          const held = moments(had.layers[layer]!, passes, biased, keep, damping, rounds);
          layers[layer] = held;
          const natural = tf.matMul(
            tf.matMul(held.before as tf.Tensor2D, wholeGradient(flat, whole)),
            held.after as tf.Tensor2D,
          );
          Object.assign(moved, wholeStep(natural as tf.Tensor2D, whole));
        }
        const direction = withSubset(slopes, moved as Flat, (leaf) => leaf);
        const change = tf.mul(
          sumTree((u, g) => tf.sum(tf.mul(u, g!)) as tf.Scalar, direction, slopes),
          tf.square(rate),
        );
        const cut = clip === 0 ? tf.scalar(1) : tf.minimum(1, tf.sqrt(tf.div(clip, tf.maximum(change, 1e-30))));
        const velocity = mapTensors((v, u) => tf.add(tf.mul(v, momentum), tf.mul(u!, cut)), had.velocity, direction);
        return [mapTensors((v) => tf.mul(v, tf.neg(rate)), velocity), { taken, velocity, layers }];
      },
    };
  },
);

/** The moments after a step, and their inverses damped alike in proportion to their sizes. */
function moments(
  had: Held,
  passes: readonly LayerSeen[],
  biased: boolean,
  keep: tf.Tensor,
  damping: number,
  rounds: number,
): Held {
  const now = factorOf(passes, biased);
  const blend = (old: tf.Tensor, fresh: tf.Tensor): tf.Tensor =>
    tf.add(tf.mul(old, keep), tf.mul(fresh, tf.sub(1, keep)));
  const [inputs, outputs] = [blend(had.inputs, now.inputs), blend(had.outputs, now.outputs)];
  const mean = (of: tf.Tensor): tf.Tensor => tf.div(tf.sum(tf.mul(of, tf.eye(of.shape[0]!))), of.shape[0]!);
  const balance = tf.sqrt(tf.div(tf.maximum(mean(inputs), 1e-12), tf.maximum(mean(outputs), 1e-12)));
  const root = Math.sqrt(damping);
  return {
    inputs,
    outputs,
    before: refined(inputs, tf.mul(balance, root), had.before, rounds),
    after: refined(outputs, tf.div(root, balance), had.after, rounds),
  };
}
