import { gather } from "../../data/dataset.ts";
import { jit, leaves, type Tree, tf, unflatten, valueAndGrad } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { evaluated } from "../parts/per-example.ts";
import { requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** Orthonormal gradients, `[directions, weights]`. */
  readonly tensors: { readonly basis: tf.Tensor } | undefined;
}

/**
 * Orthogonal gradient descent: steps are orthogonal to the gradients of what the network said of past examples.
 *
 * After an experience the gradients of the logit of the true label (OGD-GTL) at `samples` of its examples are added to an orthonormal
 * basis S, and later gradients become `g − Sᵀ S g`. Memory and work per step grow with the number of experiences: one direction as long as
 * all weights for each example that is not yet in the span of the others; where there are as many as weights, nothing moves any more.
 *
 * Farajtabar et al. 2020, arXiv:1910.07104, algorithm 1.
 * Differs from the paper: none known; heads of their own are part of the weights, so a past task's head is protected too.
 *
 * @example
 * ```ts
 * import { ogd } from "thalweg";
 * ogd({ samples: 40 });
 * ```
 */
export const ogd = strategy(
  "ogd",
  {
    /** Examples of each experience whose gradients are kept. */
    samples: 20,
  },
  ({ samples }) => {
    requireWhole("ogd", "samples", samples, 1);
    return {
      tokens: "it keeps the gradient of one logit for each example",
      role: "projection",
      init({ stream }): Memory {
        if (stream.head === "growing")
          throw new TypeError(
            'ogd: a head of fixed size is required, got one that grows; use scenario("class") with head "single"',
          );
        return { tensors: undefined };
      },
      gradient({ tensors }, gradient) {
        if (tensors === undefined) return gradient;
        const basis = tensors.basis as tf.Tensor2D;
        const flat = flattened(gradient);
        return restored(tf.sub(flat, tf.matMul(basis, tf.matMul(basis, flat), true, false)), gradient);
      },
      afterExperience(
        { tensors }: Memory,
        { train },
        { network, weights, statistics, rng, experience, columns },
      ): Memory {
        const at = rng.at("examples", experience).sample(train.length, Math.min(samples, train.length));
        const add = jit(
          (basis: tf.Tensor | null, w: Weights, x: tf.Tensor, label: tf.Tensor) => {
            const { grads } = valueAndGrad(
              (now: Weights) => tf.sum(tf.mul(evaluated(network, now, statistics, x), label)),
              w,
            );
            const whole = flattened(grads);
            let left = whole;
            for (let pass = 0; pass < 2 && basis !== null; pass++) {
              const m = basis as tf.Tensor2D;
              left = tf.sub(left, tf.matMul(m, tf.matMul(m, left), true, false)) as tf.Tensor2D;
            }
            const length = tf.sqrt(tf.sum(tf.square(left)));
            const size = tf.sqrt(tf.sum(tf.square(whole)));
            return {
              direction: tf.transpose(tf.div(left, tf.maximum(length, 1e-12))),
              share: tf.div(length, tf.maximum(size, 1e-12)),
            };
          },
          { name: "ogd" },
        );
        let basis = tensors?.basis ?? null;
        for (const row of at) {
          const x = tf.tensor(gather(train, [row]), [1, ...train.shape]);
          const label = tf.tensor2d(
            Float32Array.from({ length: columns }, (_, c) => +(c === train.labels[row])),
            [1, columns],
          );
          const { direction, share } = add(basis, weights, x, label);
          const known = share.dataSync()[0]! < inside;
          tf.dispose([x, label, share]);
          if (known) {
            direction.dispose();
            continue;
          }
          const next: tf.Tensor = basis === null ? direction : tf.concat([basis, direction], 0);
          if (basis !== null) direction.dispose();
          if (basis !== null && basis !== tensors?.basis) basis.dispose();
          basis = next;
        }
        return { tensors: basis === null ? undefined : { basis } };
      },
    };
  },
  ["boundary", "labels"],
);

/** What is left of a gradient outside the basis, as a share of its length, below which it is rounding and no direction. */
const inside = 1e-3;

/** A tree as one column. */
function flattened(tree: Weights): tf.Tensor2D {
  return tf.concat(leaves(tree as Tree).map((leaf) => tf.reshape(leaf, [leaf.size, 1]))) as tf.Tensor2D;
}

/** A column as a tree. */
function restored(flat: tf.Tensor, like: Weights): Weights {
  let from = 0;
  const parts = leaves(like as Tree).map((leaf) => {
    const part = tf.reshape(tf.slice(flat, [from, 0], [leaf.size, 1]), leaf.shape);
    from += leaf.size;
    return part;
  });
  return unflatten<Weights, tf.Tensor>(like, parts) as Weights;
}
