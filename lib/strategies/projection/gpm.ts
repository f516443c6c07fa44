import type { tf } from "../../engine/index.ts";
import { inputsOf, type LayerPath, requireLayers, withLayers } from "../parts/layers.ts";
import { type Bases, basisTensors, exhausted, outside, withRows } from "../parts/subspace.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly bases: Bases;
  readonly tensors: { readonly bases: { readonly [path: LayerPath]: tf.Tensor } };
}

/**
 * Gradient projection memory: weights move only in directions that the inputs of past tasks did not use.
 *
 * For each layer an orthonormal basis M of its past inputs is kept; the gradient becomes `g − M Mᵀ g`. After an experience the inputs of
 * `samples` examples, as far as they are not in the basis, add as many principal directions as are needed for `share` of their squared
 * length. The inputs of a convolution are its windows, of which 2,048 are drawn. A bias counts as the weight of an input of 1. The head is projected too, but for a stream whose tasks have heads of their own.
 *
 * Saha, Garg and Roy 2021, arXiv:2103.09762, algorithm 1. Memory is at most a square matrix per layer.
 * Differs from the paper: biases are trained and projected; the share is the same for every task.
 *
 * @example
 * ```ts
 * import { gpm } from "thalweg";
 * gpm({ share: 0.97 });
 * ```
 */
export const gpm = strategy(
  "gpm",
  {
    /** Share of the squared length of inputs that the basis holds, in (0, 1]. */
    share: 0.95,
    /** Examples of each experience that the basis is made of. */
    samples: 125,
  },
  ({ share, samples }) => {
    requireNumber("gpm", "share", share, 1e-6, 1);
    requireWhole("gpm", "samples", samples, 1);
    return {
      tokens: "it needs layers that see an example once, not at each of its places",
      role: "projection",
      init(context): Memory {
        requireLayers("gpm", context);
        return { bases: new Map(), tensors: { bases: {} } };
      },
      gradient: ({ tensors }, gradient) =>
        withLayers(gradient, Object.keys(tensors.bases), (g, path) => outside(g, tensors.bases[path]!)),
      afterExperience({ bases, tensors }: Memory, { train }, context) {
        if (train.length === 0) return { bases, tensors };
        const next = new Map(bases);
        for (const { path, rows, width } of inputsOf(train, samples, context))
          if (path !== "head" || context.stream.head !== "multi")
            next.set(path, withRows(next.get(path) ?? [], rows, width, share));
        const left = [...next].map(([path, basis]) => [path, 1 - basis.length / (basis[0]?.length ?? 1)] as const);
        return { bases: next, tensors: { bases: basisTensors(next) }, notes: exhausted(left) };
      },
    };
  },
  ["boundary"],
);
