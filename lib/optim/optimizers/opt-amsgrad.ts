import { needWhole } from "../../data/options.ts";
import { cloneTree, leaves, mapTensors, type Tree, tf, unflatten } from "../../engine/index.ts";
import { optimizer, zeros } from "../optimizer.ts";
import { solved } from "../parts/solved.ts";

type State = {
  readonly mean: Tree;
  readonly square: Tree;
  readonly largest: Tree;
  /** The weights without the guess, and the gradient that was guessed. */
  readonly half: Tree;
  readonly guess: Tree;
  /** The last gradients, the newest last: `[history, …]` for each tensor. */
  readonly history: Tree;
  readonly taken: tf.Tensor;
};

/**
 * AMSGrad that goes ahead of the next gradient: after its own step it takes half a step more along a guess of what comes, extrapolated from the
 * last gradients.
 *
 * `θ ← β₁ θ + (1 − β₁) g`, `v ← β₂ v + (1 − β₂)(g − m)²` with the guess m that was made of g, `v̂ ← max(v̂, v)`; `w½ ← w½ − lr · θ / √v̂` and
 * `w ← w½ − lr · (β₁ θ₋ + (1 − β₁) m₊) / √v̂`. The guess is the limit of the last gradients by regularised minimal polynomial extrapolation:
 * their mean with weights that make the mean of their differences short. Until there are as many as `history`, it is the last one.
 *
 * Implements: P282 OPT-AMSGrad
 *
 * Wang, Li, Karimi and Li 2021, "An optimistic acceleration of AMSGrad for nonconvex optimization", arXiv:1903.01435, algorithms 2 and 3
 * (that of Scieur et al. 2016). Differs from the paper: an ε is added to the root, which the paper leaves out.
 *
 * @example
 * ```ts
 * import { optAmsgrad } from "thalweg";
 * optAmsgrad({ lr: 0.001, history: 5 }).rate; // 0.001
 * ```
 */
export const optAmsgrad = optimizer(
  "optAmsgrad",
  {
    /** Learning rate. */
    lr: 1e-3,
    /** Share of the running mean that is kept. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Added to the root of the mean square. */
    epsilon: 1e-8,
    /** Gradients that the next one is guessed from; the last one is taken where it is 1. */
    history: 5,
    /** How much the weights of the last gradients are held alike, as a share of the largest product of two differences. */
    ridge: 1e-3,
  },
  ({ beta1, beta2, epsilon, history, ridge }) => {
    needWhole("optAmsgrad", "history", history);
    if (!(ridge > 0)) throw new RangeError(`optAmsgrad: a ridge above 0 is required, got ${ridge}`);
    return {
      last: true,
      init: (params): Tree =>
        ({
          mean: zeros(params),
          square: zeros(params),
          largest: zeros(params),
          half: cloneTree(params),
          guess: zeros(params),
          history: mapTensors((w) => tf.zeros([history, ...w.shape]), params),
          taken: tf.scalar(0),
        }) as unknown as Tree,
      update(grads, state, params, rate) {
        const had = state as unknown as State;
        const blend = (a: Tree, b: Tree, keep: number): Tree =>
          mapTensors((x, y) => tf.add(tf.mul(x, keep), tf.mul(y!, 1 - keep)), a, b);
        const mean = blend(had.mean, grads, beta1);
        const missed = mapTensors((g, m) => tf.squaredDifference(g, m!), grads, had.guess);
        const square = blend(had.square, missed, beta2);
        const largest = mapTensors((a, b) => tf.maximum(a, b!), had.largest, square);
        const newest = (had: tf.Tensor, g: tf.Tensor): tf.Tensor => {
          const kept = tf.slice(had, [1, ...g.shape.map(() => 0)], [history - 1, ...g.shape]);
          return tf.concat([kept, tf.expandDims(g, 0)], 0);
        };
        const past = history === 1 ? had.history : mapTensors((old, g) => newest(old, g!), had.history, grads);
        const taken = tf.add(had.taken, 1);
        const guess = guessed(past, grads, tf.greaterEqual(taken, history), ridge);
        const stepped = (from: Tree, along: Tree): Tree =>
          mapTensors(
            (w, d, v) => tf.sub(w, tf.mul(tf.div(d!, tf.add(tf.sqrt(v!), epsilon)), rate)),
            from,
            along,
            largest,
          );
        const half = stepped(had.half, mean);
        const next = stepped(half, blend(had.mean, guess, beta1));
        const updates = mapTensors((a, b) => tf.sub(a, b!), next, params);
        return [updates, { mean, square, largest, half, guess, history: past, taken } as unknown as Tree];
      },
    };
  },
);

/** What a series of gradients goes to, from its last members; the last of them where it is not `ready`. */
function guessed(past: Tree, last: Tree, ready: tf.Tensor, ridge: number): Tree {
  const rows = leaves<tf.Tensor>(past).map((t) => tf.reshape(t, [t.shape[0]!, t.size / t.shape[0]!]) as tf.Tensor2D);
  const count = rows[0]!.shape[0] - 1;
  if (count < 1) return last;
  const part = (of: tf.Tensor2D, from: number): tf.Tensor2D => tf.slice(of, [from, 0], [count, of.shape[1]]);
  const gram = tf.addN(
    rows.map((all) => {
      const moves = tf.sub(part(all, 1), part(all, 0)) as tf.Tensor2D;
      return tf.matMul(moves, moves, false, true);
    }),
  );
  const added = tf.mul(tf.eye(count), tf.add(tf.mul(tf.max(tf.abs(gram)), ridge), 1e-20));
  const z = solved(tf.add(gram, added) as tf.Tensor2D, tf.ones([count, 1]));
  const weights = tf.div(z, tf.sum(z)) as tf.Tensor2D;
  const next = leaves<tf.Tensor>(last).map((own, i) => {
    const extrapolated = tf.reshape(tf.matMul(weights, part(rows[i]!, 0), true, false), own.shape);
    return tf.where(ready, extrapolated, own);
  });
  return unflatten<unknown, tf.Tensor>(last, next) as Tree;
}
