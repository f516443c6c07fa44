import { needShare, needWhole } from "../../data/options.ts";
import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { optimizer, zeros } from "../optimizer.ts";
import { pulled, remaining } from "../parts/moments.ts";

type Lefts = Record<"left1" | "left2" | "spikes" | "lengths" | "energies", tf.Tensor>;
type Tracked = { readonly most: Tree; readonly length: Tree; readonly energy: Tree };
type State = { readonly mean: Tree; readonly square: Tree; readonly taken: tf.Tensor; readonly left: Lefts } & Tracked;

/**
 * Stable-SPAM: Adam for gradients with spikes, as those of networks of few bits have. Before Adam sees it, each tensor's gradient is cut to a
 * running mean of its largest numbers, and brought to the length that running means of its lengths say; every `every` steps Adam's
 * moments begin anew.
 *
 * `g ← g · m̂ / max|g|` where `|g| > m̂`; `g ← g / ‖g‖ · μ̂ / (√ν̂ + ε)` with running means μ of ‖g‖ and ν of ‖g‖². Weight decay is decoupled.
 *
 * Implements: P407 Stable-SPAM
 *
 * Huang et al. 2025, "Stable-SPAM", arXiv:2502.17055, algorithm 1. Differs from the paper: nothing is quantised here, and β₁ stays.
 *
 * @example
 * ```ts
 * import { stableSpam } from "thalweg";
 * stableSpam({ lr: 0.001, every: 500 }).rate; // 0.001
 * ```
 */
export const stableSpam = optimizer(
  "stableSpam",
  {
    /** Learning rate. */
    lr: 1e-3,
    /** Share of the running mean that is kept. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Share of the running mean of lengths that is kept. */
    gamma1: 0.7,
    /** Share of the running mean of squared lengths that is kept. */
    gamma2: 0.9,
    /** Share of the running mean of the largest numbers that is kept. */
    theta: 0.999,
    /** Steps from one beginning of the moments to the next; 0 for never. */
    every: 1000,
    /** Added to roots. */
    epsilon: 1e-8,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ beta1, beta2, gamma1, gamma2, theta, every, epsilon, weightDecay }) => {
    for (const [name, value] of Object.entries({ beta1, beta2, gamma1, gamma2, theta }))
      needShare("stableSpam", name, value);
    needWhole("stableSpam", "every", every, 0);
    const blend = (old: Tree, now: Tree, keep: number): Tree =>
      mapTensors((a, b) => tf.add(tf.mul(a, keep), tf.mul(b!, 1 - keep)), old, now);
    /** The gradients as Adam sees them, and what is tracked of them. */
    const tamed = (grads: Tree, had: Tracked, left: Lefts): readonly [Tree, Tracked] => {
      const sizes = mapTensors((g) => tf.max(tf.abs(g)), grads);
      const most = blend(had.most, sizes, theta);
      const cut = (g: tf.Tensor, size: tf.Tensor, top: tf.Tensor): tf.Tensor => {
        const bound = tf.div(top, left.spikes);
        const down = tf.mul(tf.div(g, tf.maximum(size, 1e-30)), bound);
        return tf.where(tf.greater(tf.abs(g), bound), down, g);
      };
      const clipped = mapTensors((g, size, top) => cut(g, size!, top!), grads, sizes, most);
      const norms = mapTensors((g) => tf.norm(g), clipped);
      const length = blend(had.length, norms, gamma1);
      const energy = blend(
        had.energy,
        mapTensors((n) => tf.square(n), norms),
        gamma2,
      );
      const scaled = (g: tf.Tensor, norm: tf.Tensor, mu: tf.Tensor, nu: tf.Tensor): tf.Tensor => {
        const wanted = tf.div(tf.div(mu, left.lengths), tf.add(tf.sqrt(tf.div(nu, left.energies)), epsilon));
        return tf.mul(g, tf.div(wanted, tf.maximum(norm, 1e-30)));
      };
      return [
        mapTensors((g, n, mu, nu) => scaled(g, n!, mu!, nu!), clipped, norms, length, energy),
        { most, length, energy },
      ];
    };
    return {
      init: (params): Tree => {
        const each = mapTensors(() => tf.scalar(0), params);
        const names = ["left1", "left2", "spikes", "lengths", "energies"] as const;
        return {
          mean: zeros(params),
          square: zeros(params),
          most: each,
          length: mapTensors((t) => tf.clone(t), each),
          energy: mapTensors((t) => tf.clone(t), each),
          taken: tf.scalar(0),
          left: Object.fromEntries(names.map((name) => [name, tf.scalar(0)])),
        };
      },
      update(grads, state, params, rate) {
        const had = state as State;
        const taken = tf.add(had.taken, 1);
        const anew = every === 0 ? tf.scalar(false, "bool") : tf.equal(tf.mod(taken, every), 0);
        const keep = tf.sub(1, tf.cast(anew, "float32"));
        const left: Lefts = {
          left1: remaining(tf.mul(had.left.left1, keep), beta1),
          left2: remaining(tf.mul(had.left.left2, keep), beta2),
          spikes: remaining(had.left.spikes, theta),
          lengths: remaining(had.left.lengths, gamma1),
          energies: remaining(had.left.energies, gamma2),
        };
        const [g, tracked] = tamed(grads, had, left);
        const kept = (tree: Tree): Tree => mapTensors((t) => tf.mul(t, keep), tree);
        const mean = blend(kept(had.mean), g, beta1);
        const square = blend(
          kept(had.square),
          mapTensors((t) => tf.square(t), g),
          beta2,
        );
        const size = tf.div(tf.neg(rate), left.left1);
        const updates = mapTensors(
          (m, v) => tf.mul(tf.div(m, tf.add(tf.sqrt(tf.div(v!, left.left2)), epsilon)), size),
          mean,
          square,
        );
        return [pulled(updates, params, rate, weightDecay), { mean, square, ...tracked, taken, left }];
      },
    };
  },
);
