import { leaves, mapTensors, sumTree, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { widenedLike, zerosFor } from "../parts/anchor.ts";
import { type LayerPath, layerAt, layerPaths, leaving, requireChain, unitsAt, withLayer } from "../parts/layers.ts";
import { type Context, requireNumber, requireOneOf, type Step, strategy } from "../strategy.ts";

/** What steps change: running utilities of all weights, or of the units of each hidden layer. A type, not an interface, so that it is a tree of tensors. */
type Traces = { readonly utility: Weights | Units; readonly power: tf.Tensor };
type Units = { readonly [path: LayerPath]: tf.Tensor };

interface Memory {
  readonly carried: Traces;
}

/**
 * Utility-based perturbed gradient descent: what is useful is spared, what is useless is shaken.
 *
 * The utility of a weight is the running mean of `−g·θ`, corrected for its start at 0 and divided by the largest of all; with
 * `U = sigmoid` of that, the gradient becomes `(g + deviation · noise) · (1 − U)`. With plain descent (`sgd`) this is the paper's update,
 * without task boundaries; what has utility 0 moves half as far as without the method (the authors' code doubles the rate).
 *
 * With `order: 2` the utility is `−g·θ + ½ h·θ²` with the diagonal h of the Hessian of the task's loss, which a step estimates by Hutchinson's
 * `u ⊙ ∇(∇L · u)` for random signs u; the running mean takes the noise of it out. Such a step costs about three.
 *
 * Of "features", the utility is that of a hidden unit, for all weights that lead into it: what the loss would gain from the unit at 0, to
 * first order. That is `−Σ g·θ` over the weights that leave it. The head is then trained as without the method. The layers must follow
 * one another, convolutions (whose units are channels) or dense.
 *
 * Implements: P260 UPGD
 *
 * Elsayed and Mahmood 2024, arXiv:2404.00781, algorithms 1 and 2, utilities scaled over the whole network.
 * Differs from the paper: decay of the weights is left to the optimizer's `weightDecay`; the diagonal of the Hessian is Hutchinson's estimate,
 * where the paper has HesScale's; of features it is that of the weights that leave a unit. Compose it before strategies that project.
 *
 * @throws TypeError when `of` is "features" and the layers of the network do not follow one another.
 *
 * @example
 * ```ts
 * import { upgd } from "thalweg";
 * upgd({ deviation: 0.001, decay: 0.999, of: "features" });
 * ```
 */
export const upgd = strategy(
  "upgd",
  {
    /** Deviation of the noise. */
    deviation: 0.001,
    /** Share of the running utility that is kept at each step, in [0, 1). */
    decay: 0.999,
    /** What has a utility: each of the "weights", or each hidden unit ("features"). */
    of: "weights" as "weights" | "features",
    /** Whether utilities are of first or second order. */
    order: 1 as 1 | 2,
  },
  ({ deviation, decay, of, order }) => {
    requireNumber("upgd", "deviation", deviation, 0);
    requireNumber("upgd", "decay", decay, 0, 0.999999);
    requireOneOf("upgd", "of", of, ["weights", "features"]);
    if (order !== 1 && order !== 2) throw new RangeError(`upgd: order must be 1 or 2, got ${order}`);
    /** What the loss would gain from each weight at 0, with a minus: `g·θ − ½ h·θ²`. */
    const gains = (gradient: Weights, step: Step): Weights => {
      const first = mapTensors((g, w) => tf.mul(g, w!), gradient, step.weights);
      if (order === 1) return first;
      return mapTensors(
        (u, h, w) => tf.sub(u, tf.mul(h!, tf.div(tf.square(w!), 2))),
        first,
        curvature(step),
        step.weights,
      );
    };
    const running = (old: tf.Tensor, worth: tf.Tensor): tf.Tensor =>
      tf.sub(tf.mul(old, decay), tf.mul(worth, 1 - decay));
    const traced = ({ utility, power }: Traces, worth: Weights): Traces => ({
      utility:
        of === "weights"
          ? mapTensors((u, gain) => running(u, gain!), utility as Weights, worth)
          : Object.fromEntries(
              Object.entries(utility as Units).map(([path, old], i, all) => {
                const behind = all[i + 1]?.[0] ?? "head";
                return [path, running(old, leaving(layerAt(worth, behind).kernel, old.size))];
              }),
            ),
      power: tf.mul(power, decay),
    });
    return {
      tokens: true,
      init(context): Memory {
        const utility = of === "weights" ? zerosFor(context.weights) : unitsOf(context);
        return { carried: { utility, power: tf.scalar(1) } };
      },
      beforeExperience({ carried }: Memory, _experience, { weights }): Memory {
        const { utility, power } = carried;
        const next =
          of === "weights"
            ? widenedLike(utility as Weights, weights)
            : Object.fromEntries(Object.entries(utility as Units).map(([path, u]) => [path, u.clone()]));
        return { carried: { utility: next, power: power.clone() } };
      },
      gradient({ carried }, gradient, step) {
        const { rng } = step;
        const { utility, power } = traced(carried, gains(gradient, step));
        const all = leaves(utility as unknown as Tree);
        const most = tf.div(tf.max(tf.stack(all.map((u) => tf.max(u)))), tf.sub(1, power));
        const scale = tf.mul(tf.sub(1, power), tf.add(most, tf.mul(tf.cast(tf.equal(most, 0), "float32"), 1)));
        let next = 0;
        const spared = (g: tf.Tensor, u: tf.Tensor): tf.Tensor => {
          const noise = rng === null ? tf.zerosLike(g) : rng.at("noise", next++).normals(g.shape);
          const free = tf.sub(1, tf.sigmoid(tf.div(u, scale)));
          return tf.mul(tf.add(g, tf.mul(noise, deviation)), free);
        };
        if (of === "weights") return mapTensors((g, u) => spared(g, u!), gradient, utility as Weights);
        return Object.entries(utility as Units).reduce((tree, [path, u]) => {
          const own = Object.entries(layerAt(gradient, path)).map(([name, g]) => [name, spared(g, u)] as const);
          return withLayer(tree, path, Object.fromEntries(own));
        }, gradient);
      },
      update: ({ carried }, { slope }, step): Tree => traced(carried, gains(slope, step)) as unknown as Tree,
    };
  },
);

/** Of the weights of a step that is being recorded, their curvature: two hooks ask for it. */
const known = new WeakMap<Weights, Weights>();

/** Hutchinson's estimate of the diagonal of the Hessian of the task's loss. */
function curvature(step: Step): Weights {
  const had = known.get(step.weights);
  if (had !== undefined) return had;
  const { x, weights, rng } = step;
  let next = 0;
  const signs = mapTensors(
    (w) => (rng === null ? tf.onesLike(w) : tf.sign(tf.sub(rng.at("signs", next++).uniforms(w.shape), 0.5))),
    weights,
  );
  const loss = (at: Weights): tf.Tensor =>
    step.targetLoss({ ...step, logits: step.forward(x, { weights: at }).logits });
  const along = (at: Weights): tf.Tensor =>
    sumTree((g, u) => tf.sum(tf.mul(g, u!)) as tf.Scalar, valueAndGrad(loss, at).grads, signs);
  const found = mapTensors((h, u) => tf.mul(h, u!), step.gradient(along), signs);
  known.set(weights, found);
  return found;
}

/** Zeros for the units of each hidden layer. */
function unitsOf(context: Context): Units {
  requireChain("upgd", context);
  const hidden = layerPaths(context).slice(0, -1);
  return Object.fromEntries(hidden.map((path) => [path, tf.zeros([unitsAt(context.weights, path)])]));
}
