import { tf } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import * as t from "../parts/test-time.ts";
import { type Reset, requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/**
 * LAME: the network stays as it is, and the predictions of a batch are changed so that examples with features alike are predicted alike.
 *
 * `y ← softmax(log p + Σ_j k(i, j) y_j)`, again and again, for an affinity k of normalised features: 1 for each of the `neighbours` nearest
 * ("knn"), `exp(−d²/2σ²)` with the mean distance to the last of them as σ ("rbf"), or the cosine ("linear"). It is made for batches in which
 * examples of a class come together.
 *
 * Boudiaf et al. 2022, arXiv:2201.05718, eq. 4–5 and algorithm 1.
 * Differs from the paper: a fixed number of rounds, not until nothing changes.
 *
 * @example
 * ```ts
 * import { classes, digits, lame, mlp } from "thalweg";
 * classes(digits()).corrupt("fog", 5, { part: "test" }).learn(mlp()).by(lame({ shuffle: false }));
 * ```
 */
export const lame = strategy(
  "lame",
  {
    affinity: "rbf" as "knn" | "rbf" | "linear",
    /** Nearest examples that affinities are made of. */
    neighbours: 5,
    rounds: 30,
    /** Test examples that arrive at once. */
    batch: 64,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ affinity, neighbours, rounds, batch, shuffle }) => {
    requireOneOf("lame", "affinity", affinity, ["knn", "rbf", "linear"]);
    requireNumber("lame", "neighbours", neighbours, 1);
    requireWhole("lame", "rounds", rounds, 1);
    requireWhole("lame", "batch", batch, 1);

    function kernelOf(features: tf.Tensor): tf.Tensor2D {
      const n = features.shape[0]!;
      const rows = tf.reshape(features, [n, features.size / n]) as tf.Tensor2D;
      const unit = tf.div(rows, tf.maximum(tf.norm(rows, 2, -1, true), 1e-12)) as tf.Tensor2D;
      const cosines = tf.matMul(unit, unit, false, true) as tf.Tensor2D;
      if (affinity === "linear") return cosines;
      const own = tf.sum(tf.square(unit), -1, true); // 1, or 0 where there is no feature
      const squares = tf.maximum(tf.sub(tf.add(own, tf.transpose(own)), tf.mul(cosines, 2)), 0);
      if (affinity === "rbf") {
        const nearest = tf.neg(tf.topk(tf.neg(squares), Math.min(neighbours, n)).values);
        const last = tf.sqrt(tf.slice(nearest, [0, nearest.shape[1]! - 1], [n, 1]));
        const sigma = tf.maximum(tf.mean(last), 1e-12);
        return tf.exp(tf.div(squares, tf.mul(tf.square(sigma), -2))) as tf.Tensor2D;
      }
      const others = tf.add(squares, tf.mul(tf.eye(n), 1e9)); // no example is its own neighbour
      const count = Math.min(neighbours, n - 1);
      if (count < 1) return tf.zeros([n, n]);
      const { indices } = tf.topk(tf.neg(others), count);
      return tf.sum(tf.oneHot(tf.cast(indices, "int32"), n), 1) as tf.Tensor2D;
    }

    return {
      tokens: t.onePrediction,
      classes: true,
      adapting: { batch, reset: "batch" satisfies Reset, shuffle },
      adapt(_state, { x, mask, forward }) {
        const { features, logits } = forward(x);
        const unary = tf.log(tf.add(tf.softmax(masked(logits, mask)), 1e-10));
        if (x.shape[0]! < 2) return { logits: unary };
        const kernel = kernelOf(features);
        let found: tf.Tensor = unary;
        for (let round = 0; round < rounds; round++)
          found = tf.add(unary, tf.matMul(kernel, tf.softmax(found) as tf.Tensor2D));
        return { logits: found };
      },
    };
  },
);
