import { needOneOf, needShare, needWhole } from "../../data/options.ts";
import { mapTensors, type Rng, sumTree, type Tree, tf, valueAndGrad, when } from "../../engine/index.ts";
import { optimizer, type Seen, zeros } from "../optimizer.ts";
import { blended, pulled } from "../parts/moments.ts";

type State = { readonly taken: tf.Tensor; readonly mean: Tree; readonly curvature: Tree };

/**
 * Sophia: momentum over a running diagonal of the curvature, each number of the step cut to the rate: `w ← w − lr · clip(m / max(γ h, ε), 1)`.
 *
 * The diagonal is estimated every `every` steps, in between it costs nothing: with "hutchinson" as `u ⊙ ∇²L u` for a random `u` of signs, which
 * takes a gradient of the gradient; with "labels" as `n · ĝ ⊙ ĝ` of the gradient on labels drawn from what the network predicts (Gauss, Newton
 * and Bartlett), for streams that ask for classes. Weight decay is decoupled.
 *
 * Liu et al. 2023, "Sophia: a scalable stochastic second-order optimizer", arXiv:2305.14342, algorithms 1 to 3. Differs from the paper: the
 * first estimate is at the first step, from where the running mean begins at 0 as there; Hutchinson's signs are from {−1, 1} where the paper
 * draws them from a normal distribution.
 *
 * @example
 * ```ts
 * import { sophia } from "thalweg";
 * sophia({ lr: 0.001, by: "labels", gamma: 0.05 }).sees; // ["gradient", "drawn", "noise"]
 * ```
 */
export const sophia = optimizer(
  "sophia",
  {
    /** Learning rate: no number moves farther in a step. */
    lr: 1e-3,
    /** Share of the running mean that is kept. */
    beta1: 0.965,
    /** Share of the running curvature that is kept. */
    beta2: 0.99,
    /** What the curvature is multiplied with: the smaller, the more numbers are cut. */
    gamma: 0.01,
    /** The least curvature. */
    epsilon: 1e-12,
    /** Steps from one estimate to the next. */
    every: 10,
    /** How the curvature is estimated. */
    by: "hutchinson" as "hutchinson" | "labels",
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ beta1, beta2, gamma, epsilon, every, by, weightDecay }) => {
    needShare("sophia", "beta1", beta1);
    needShare("sophia", "beta2", beta2);
    needWhole("sophia", "every", every);
    needOneOf("sophia", "by", by, ["hutchinson", "labels"]);
    if (!(gamma > 0)) throw new RangeError(`sophia: a gamma above 0 is required, got ${gamma}`);
    return {
      sees: ["gradient", "drawn", "noise"],
      init: (params): Tree => ({ taken: tf.scalar(0), mean: zeros(params), curvature: zeros(params) }),
      update(grads, state, params, rate, seen) {
        if (seen === undefined) throw new TypeError("sophia: a step that shows its gradient is required, got none");
        const had = state as State;
        const signs = by === "labels" ? undefined : signsLike(params, seen.rng);
        const { curvature } = when(
          tf.equal(tf.mod(had.taken, every), 0),
          ({ at, curvature }) => {
            const now = signs === undefined ? drawnSquares(seen, at) : diagonal(seen, at, signs);
            return { at, curvature: blended(curvature, now, beta2) };
          },
          { at: params, curvature: had.curvature },
        );
        const mean = blended(had.mean, grads, beta1);
        const step = (m: tf.Tensor, h: tf.Tensor): tf.Tensor =>
          tf.mul(tf.clipByValue(tf.div(m, tf.maximum(tf.mul(h, gamma), epsilon)), -1, 1), tf.neg(rate));
        const updates = mapTensors((m, h) => step(m, h!), mean, curvature);
        return [pulled(updates, params, rate, weightDecay), { taken: tf.add(had.taken, 1), mean, curvature }];
      },
    };
  },
);

/** −1 or 1 for each number; 1 where nothing may be random. */
function signsLike(params: Tree, rng: Rng | null): Tree {
  let next = 0;
  return mapTensors(
    (w) => (rng === null ? tf.onesLike(w) : tf.sign(tf.sub(rng.at("signs", next++).uniforms(w.shape), 0.5))),
    params,
  );
}

/** Hutchinson's estimate of the diagonal of the Hessian: `u ⊙ ∇(∇L · u)`. */
function diagonal(seen: Seen, at: Tree, signs: Tree): Tree {
  const along = (w: Tree): tf.Tensor => sumTree((g, u) => tf.sum(tf.mul(g, u!)) as tf.Scalar, seen.gradient(w), signs);
  return mapTensors((h, u) => tf.mul(h, u!), valueAndGrad(along, at).grads, signs);
}

/** The diagonal of the Gauss–Newton matrix, from labels that the network draws: of a mean over n of them it is n times the square. */
function drawnSquares(seen: Seen, at: Tree): Tree {
  const { gradient, labels } = seen.drawn(at);
  return mapTensors((g) => tf.mul(tf.square(g), labels), gradient);
}
