import { gather } from "../../data/dataset.ts";
import { disposeTree, jit, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { asMatrix, type LayerPath, layerAt, layerRows, requireLayers, withLayers } from "../parts/layers.ts";
import { exhausted } from "../parts/subspace.ts";
import { type Context, requireNumber, strategy } from "../strategy.ts";

/** One projector for each layer, `[d + 1, d + 1]`. A type, not an interface, so that it is a tree of tensors. */
type Projectors = { readonly [path: LayerPath]: tf.Tensor };

interface Memory {
  readonly tensors: { readonly projectors: Projectors };
}

/**
 * Orthogonal weights modification: weights move only orthogonally to the inputs that past experiences gave their layer.
 *
 * The gradient becomes `P g`. P begins as the identity; when an experience ends, every batch of it changes it by the mean x̄ of the layer's
 * inputs: `k = P x̄ / (alpha + x̄ᵀ P x̄)`, `P ← P − k x̄ᵀ P`, so that `P = (I + Σ x̄ x̄ᵀ / alpha)⁻¹`. A bias counts as the weight of an input
 * of 1, the inputs of a convolution are its windows. The head is projected too, but for a stream whose tasks have heads of their own.
 *
 * With an alpha that is small beside x̄ᵀ x̄ every batch takes a whole direction away, and after as many batches as a layer has inputs it
 * learns nothing more; a note says so when that has happened.
 *
 * Zeng et al. 2019, arXiv:1810.01256, eq. 1 and supplement.
 * Differs from the paper: alpha is one number; in the authors' code it falls from 0.9 to 0.0009 over a task for the first layer, from 1 to
 * 0.1 for the second, and is 0.6 for the head. P changes after the experience, as in van de Ven et al. 2022, not at every step.
 *
 * @example
 * ```ts
 * import { owm } from "thalweg";
 * owm({ alpha: 0.1 });
 * ```
 */
export const owm = strategy(
  "owm",
  {
    /** How small an input must be to be taken for noise. */
    alpha: 0.1,
  },
  ({ alpha }) => {
    requireNumber("owm", "alpha", alpha, 1e-12);
    return {
      tokens: "it needs layers that see an example once, not at each of its places",
      role: "projection",
      init(context): Memory {
        requireLayers("owm", context);
        const projectors: Record<LayerPath, tf.Tensor> = {};
        tf.tidy(() => {
          const found = layerRows(
            context.network,
            context.weights,
            context.statistics,
            tf.zeros([1, ...context.network.input]),
          );
          for (const path of Object.keys(found))
            if (path !== "head" || context.stream.head !== "multi")
              projectors[path] = tf.keep(tf.eye(asMatrix(layerAt(context.weights, path).kernel).shape[0] + 1));
        });
        return { tensors: { projectors } };
      },
      gradient: ({ tensors }, gradient) =>
        withLayers(gradient, Object.keys(tensors.projectors), (g, path) =>
          tf.matMul(tensors.projectors[path] as tf.Tensor2D, g),
        ),
      afterExperience({ tensors }: Memory, { train }, context) {
        let { projectors } = tensors;
        const update = updater(alpha, context);
        for (let start = 0; start < train.length; start += context.batch) {
          const at = Uint32Array.from({ length: Math.min(context.batch, train.length - start) }, (_, i) => start + i);
          const x = tf.tensor(gather(train, at), [at.length, ...train.shape]);
          const next = update(projectors, context.weights, x);
          if (start > 0) disposeTree(projectors);
          x.dispose();
          projectors = next;
        }
        return { tensors: { projectors }, notes: exhausted(shares(projectors)) };
      },
    };
  },
  ["boundary"],
);

/** How much of the space of its inputs each layer may still move in: the mean of what is left of each direction. */
function shares(projectors: Projectors): [LayerPath, number][] {
  return Object.entries(projectors).map(([path, p]) => {
    const size = p.shape[0]!;
    const values = p.dataSync();
    let trace = 0;
    for (let i = 0; i < size; i++) trace += values[i * size + i]!;
    return [path, trace / size];
  });
}

function updater(alpha: number, { network, statistics }: Context) {
  return jit(
    (projectors: Projectors, weights: Weights, x: tf.Tensor): Projectors => {
      const inputs = layerRows(network, weights, statistics, x);
      return Object.fromEntries(
        Object.entries(projectors).map(([path, p]) => {
          const mean = tf.concat([tf.mean(inputs[path]!, 0), tf.ones([1])]);
          const column = tf.reshape(mean, [mean.size, 1]) as tf.Tensor2D;
          const through = tf.matMul(p as tf.Tensor2D, column);
          const size = tf.add(tf.matMul(column, through, true, false), alpha);
          return [path, tf.sub(p, tf.div(tf.matMul(through, through, false, true), size))];
        }),
      );
    },
    { name: "owm" },
  );
}
