import { cloneTree, disposeTree, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { type Anchor, pull, widenedLike, zerosFor } from "../parts/anchor.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What steps change. A type, not an interface, so that it is a tree of tensors. */
type Walk = {
  /** Running Fisher information. */
  readonly fisher: Weights;
  /** The change of the loss along the path since the last reading, and the score gathered from the readings of this experience. */
  readonly path: Weights;
  readonly score: Weights;
  /** The weights at the last reading, and the steps since. */
  readonly from: Weights;
  readonly since: tf.Tensor;
};

interface Memory {
  readonly tensors: Anchor | undefined;
  readonly carried: Walk;
  /** The score of past experiences. */
  readonly scores: Weights | undefined;
}

/**
 * Riemannian walk: importance is the Fisher information plus what each weight's movement was worth on the way.
 *
 * Adds `lambda · Σ_i (F_i + s_i)(θ_i − θ*_i)²`. At every step `F ← alpha · g² + (1 − alpha) · F` with g the batch's gradient without
 * that of this penalty; every `every` steps `s_i ← s_i + max(0, L_i) / (½ F_i Δ_i² + 10⁻⁸)`, with L the loss along the path `Σ −g · Δθ`
 * and Δ the movement since the last reading. At the end of an experience the score becomes the mean of itself and the older one, and F
 * and s are both scaled to [0, 1] over all weights.
 *
 * Chaudhry et al. 2018, arXiv:1801.10112, eq. 8–10.
 * Differs from the paper: F is of the gradient of a batch's mean loss, not of single examples; none of its remembered examples (compose
 * with `replay`); the steps after an experience's last reading are not read.
 *
 * @example
 * ```ts
 * import { rwalk } from "thalweg";
 * rwalk({ lambda: 0.1 });
 * ```
 */
export const rwalk = strategy(
  "rwalk",
  {
    /** Strength of the penalty. */
    lambda: 0.1,
    /** Share of a step in the running Fisher information, in [0, 1]. */
    alpha: 0.9,
    /** Steps between readings of the score. */
    every: 10,
  },
  ({ lambda, alpha, every }) => {
    requireNumber("rwalk", "lambda", lambda, 0);
    requireNumber("rwalk", "alpha", alpha, 0, 1);
    requireWhole("rwalk", "every", every, 1);
    const start = (weights: Weights, fisher: Weights): Walk => ({
      fisher,
      path: zerosFor(weights),
      score: zerosFor(weights),
      from: cloneTree(weights),
      since: tf.scalar(0),
    });
    return {
      tokens: true,
      role: "importance",
      init: ({ weights }): Memory => ({
        tensors: undefined,
        scores: undefined,
        carried: start(weights, zerosFor(weights)),
      }),
      beforeExperience({ tensors, carried, scores }, _experience, { weights }): Memory {
        const anchor =
          tensors === undefined
            ? undefined
            : { importance: widenedLike(tensors.importance, weights), center: cloneTree(weights) };
        const older = scores === undefined ? undefined : widenedLike(scores, weights);
        if (scores !== undefined) disposeTree(scores);
        return { tensors: anchor, carried: start(weights, widenedLike(carried.fisher, weights)), scores: older };
      },
      loss: ({ tensors }, { weights }) => (tensors === undefined ? tf.scalar(0) : pull(tensors, weights, 2 * lambda)),
      update({ tensors, carried }, { before, after, gradient: whole }): Tree {
        const { fisher, path, score, from, since } = carried;
        const gradient = tensors === undefined ? whole : withoutPull(whole, tensors, before, lambda);
        const steps = tf.add(since, 1);
        const reading = tf.cast(tf.greaterEqual(steps, every), "float32");
        const running = mapTensors(
          (f, g) => tf.add(tf.mul(tf.square(g!), alpha), tf.mul(f, 1 - alpha)),
          fisher,
          gradient,
        );
        const walked = mapTensors((p, g, a, b) => tf.sub(p, tf.mul(g!, tf.sub(b!, a!))), path, gradient, before, after);
        const scored = mapTensors(
          (s, p, f, now, then) => {
            const distance = tf.add(tf.mul(tf.mul(f!, tf.square(tf.sub(now!, then!))), 0.5), 1e-8);
            return tf.add(s, tf.mul(reading, tf.div(tf.relu(p!), distance)));
          },
          score,
          walked,
          running,
          after,
          from,
        );
        const keep = tf.sub(1, reading);
        return {
          fisher: running,
          path: mapTensors((p) => tf.mul(p, keep), walked),
          score: scored,
          from: mapTensors((then, now) => tf.add(tf.mul(then, keep), tf.mul(now!, reading)), from, after),
          since: tf.mul(steps, keep),
        } as Tree;
      },
      afterExperience({ carried, scores }, _experience, { weights }) {
        const mean =
          scores === undefined
            ? cloneTree(carried.score)
            : scoped(() => mapTensors((a, b) => tf.div(tf.add(a, b!), 2), scores, carried.score));
        if (scores !== undefined) disposeTree(scores);
        const importance = scoped(() => mapTensors((f, s) => tf.add(f, s!), scaled(carried.fisher), scaled(mean)));
        return {
          tensors: { importance, center: cloneTree(weights) },
          carried: { ...carried, from: cloneTree(weights) },
          scores: mean,
        };
      },
    };
  },
  ["boundary"],
);

/** A gradient without the part that is the penalty's own, `2 lambda · importance · (weights − center)`. */
function withoutPull(whole: Weights, { importance, center }: Anchor, weights: Weights, lambda: number): Weights {
  return mapTensors(
    (g, f, w, c) => tf.sub(g, tf.mul(tf.mul(f!, tf.sub(w!, c!)), 2 * lambda)),
    whole,
    importance,
    weights,
    center,
  );
}

/** A tree scaled to [0, 1] over all its numbers. */
function scaled(tree: Weights): Weights {
  const extreme = (pick: (t: tf.Tensor) => tf.Tensor, of: (t: tf.Tensor) => tf.Tensor): tf.Tensor => {
    const all: tf.Tensor[] = [];
    mapTensors((t) => {
      all.push(tf.reshape(pick(t), [1]));
      return t;
    }, tree);
    return of(tf.concat(all));
  };
  const least = extreme(
    (t) => tf.min(t),
    (t) => tf.min(t),
  );
  const most = extreme(
    (t) => tf.max(t),
    (t) => tf.max(t),
  );
  const range = tf.add(tf.sub(most, least), 1e-12);
  return mapTensors((t) => tf.div(tf.sub(t, least), range), tree);
}
