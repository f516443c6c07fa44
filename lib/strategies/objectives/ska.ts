import { type Examples, gather } from "../../data/dataset.ts";
import { leaves, mapTensors, paths, scoped, type Tree, tf, unflatten } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { requireLayers } from "../parts/layers.ts";
import { evaluated } from "../parts/per-example.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Structured knowledge accumulation: layers learn in forward passes alone, each by itself and without labels, in the direction in which the entropy of its
 * decisions falls.
 *
 * With what a layer knows, z = x·W + b, and its decisions D = σ(z), which the next layer sees, the entropy of pass k is `−Σ z · (D − D′) / ln 2` with the decisions
 * D′ of the pass before. After each of `rounds` passes of all examples of an experience, `W ← W − lr · xᵀ g / n` with `g = −(z · D (1 − D) + D − D′) / ln 2`,
 * x being what the layer was given in the pass before. What the head knows are the logits. The state's `entropies` are those of all layers, pass after pass of the last experience.
 *
 * The model has dense layers alone, with sigmoids between them as in the paper. Several experiences go on from the weights of the last.
 *
 * Implements: P115 SKA
 * Mahi 2025, "Structured knowledge accumulation: an autonomous framework for layer-wise entropy reduction in neural learning", arXiv:2503.13942, sections 3 and 4,
 * and its program.
 *
 * @example
 * ```ts
 * import { classes, digits, net, ska } from "thalweg";
 * classes(digits()).split(1).learn(net().flatten().dense(32).sigmoid().dense(16).sigmoid()).by(ska({ rounds: 20 }));
 * ```
 */
export const ska = strategy(
  "ska",
  {
    /** Forward passes over an experience. */
    rounds: 50,
    /** The size of a step. */
    lr: 0.01,
  },
  ({ rounds, lr }) => {
    requireWhole("ska", "rounds", rounds, 1);
    requireNumber("ska", "lr", lr, 0);
    return {
      tokens: "its layers see one vector for each example",
      classes: true,
      init(context): { readonly entropies: readonly (readonly number[])[] } {
        requireLayers("ska", context);
        if (leaves(context.weights as Tree).some(({ rank }) => rank > 2))
          throw new TypeError("ska: a model of dense layers is required, got convolutions too");
        return { entropies: [] };
      },
      learn(state, { train }, context) {
        const found = accumulated(train, context, rounds, lr);
        return { ...state, entropies: found.entropies, weights: found.weights };
      },
    };
  },
);

/** The weights after some passes, and the entropies of the layers in each pass from the second on. */
function accumulated(
  examples: Examples,
  { network, weights: first, statistics }: Context,
  rounds: number,
  lr: number,
): { readonly weights: Weights; readonly entropies: readonly (readonly number[])[] } {
  const entropies: number[][] = [];
  const kept = scoped(() => {
    const rows = Uint32Array.from({ length: examples.length }, (_, i) => i);
    const x = tf.tensor(gather(examples, rows), [rows.length, ...examples.shape]);
    let weights: Weights = first;
    let before: ReadonlyMap<string, Known> | null = null;
    for (let pass = 0; pass < rounds; pass++) {
      const now = new Map<string, Known>();
      evaluated(network, weights, statistics, x, (path, input, z) => {
        now.set(path.join("/"), { input: input as tf.Tensor2D, z, decided: tf.sigmoid(z) });
        return z;
      });
      if (before !== null) {
        const had: ReadonlyMap<string, Known> = before;
        const shifts = new Map([...now].map(([path, { decided }]) => [path, tf.sub(decided, had.get(path)!.decided)]));
        entropies.push(
          [...now].map(([path, { z }]) => tf.div(tf.sum(tf.mul(z, shifts.get(path)!)), -Math.LN2).dataSync()[0]!),
        );
        weights = unflatten(
          weights,
          paths(weights as Tree).map(([path, tensor]) => {
            const at = path.lastIndexOf("/");
            const layer = path.slice(0, at);
            const known = now.get(layer);
            if (known === undefined) return tensor;
            const push = tf.add(tf.mul(known.z, derivative(known.decided)), shifts.get(layer)!);
            const slope = tf.div(push, -Math.LN2) as tf.Tensor2D;
            const { input } = had.get(layer)!;
            const isBias = path.slice(at + 1) === "bias";
            const down = isBias ? tf.mean(slope, 0) : tf.div(tf.matMul(input, slope, true), input.shape[0]);
            return tf.sub(tensor, tf.mul(down, lr));
          }),
        ) as Weights;
      }
      before = now;
    }
    return mapTensors((t: tf.Tensor) => t.clone(), weights);
  });
  return { weights: kept, entropies };
}

/** What a layer was given in a pass, what it knew, and what it decided. */
interface Known {
  readonly input: tf.Tensor2D;
  readonly z: tf.Tensor;
  readonly decided: tf.Tensor;
}

const derivative = (decided: tf.Tensor): tf.Tensor => tf.mul(decided, tf.sub(1, decided));
