/** Gradients of single examples, added up by their size, without a backward pass for each. */
import { leaves, mapTensors, paths, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { type Params, type Tap, tape } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";

/** A scalar function of the logits of each example: `[n, columns] → [n]`. */
export type OfLogits = (logits: tf.Tensor) => tf.Tensor;

/** The logits of a batch in evaluation mode. */
export function evaluated(network: Network, weights: Weights, statistics: Params, x: tf.Tensor, tap?: Tap): tf.Tensor {
  return network.logits(weights, network.features(weights, x, tape(false, null, statistics, tap).mode), tap);
}

/**
 * Whether every trained tensor of a network is the kernel or the bias of a fully connected layer that is passed through once: then the
 * gradient of one example is an outer product, and `sumOfPowers` needs one backward pass for a whole batch.
 */
export function fullyConnected(network: Network, weights: Weights, statistics: Params): boolean {
  return tf.tidy(() => {
    const met = new Map<string, number>();
    const tap: Tap = (path, _input, output) => {
      // one row for one example: at the places of a sequence there are more
      met.set(path.join("/"), (met.get(path.join("/")) ?? 0) + output.shape[0]!);
      return output;
    };
    evaluated(network, weights, statistics, tf.zeros([1, ...network.input]), tap);
    return paths({ model: weights.model, head: weights.head } as Tree).every(([path, leaf]) => {
      const [, layer, name] = /^(.*)\/([^/]+)$/.exec(path) ?? [];
      return (
        met.get(layer ?? "") === 1 && ((name === "kernel" && leaf.rank === 2) || (name === "bias" && leaf.rank === 1))
      );
    });
  });
}

/**
 * `Σ_n |∂f_n/∂w|^power` over the examples of a batch, for each weight w of a fully connected network, in the tree of the weights.
 *
 * For a layer with inputs X and gradients Δ with respect to its outputs, the gradient of example n is `x_n δ_nᵀ`, so the sum is
 * `(|X|^power)ᵀ (|Δ|^power)`: exact, at the price of one backward pass.
 */
export function sumOfPowers(
  network: Network,
  weights: Weights,
  statistics: Params,
  x: tf.Tensor,
  power: 1 | 2,
  f: OfLogits,
): Weights {
  const inputs: Record<string, tf.Tensor> = {};
  const probes: Record<string, tf.Tensor> = {};
  evaluated(network, weights, statistics, x, (path, input, output) => {
    inputs[path.join("/")] = input;
    probes[path.join("/")] = tf.zeros(output.shape);
    return output;
  });
  const { grads } = valueAndGrad((at: Record<string, tf.Tensor>) => {
    const tap: Tap = (path, _input, output) => tf.add(output, at[path.join("/")]!);
    return tf.sum(f(evaluated(network, weights, statistics, x, tap)));
  }, probes);
  const raised = (t: tf.Tensor): tf.Tensor => (power === 1 ? tf.abs(t) : tf.square(t));
  const sums = new Map<string, tf.Tensor>();
  for (const path of Object.keys(probes)) {
    const delta = raised(grads[path]!);
    sums.set(`${path}/kernel`, tf.matMul(raised(inputs[path]!) as tf.Tensor2D, delta as tf.Tensor2D, true, false));
    sums.set(`${path}/bias`, tf.sum(delta, 0));
  }
  return inTree(weights, (path, leaf) => sums.get(path) ?? tf.zerosLike(leaf));
}

/** `|∂f/∂w|^power` for a batch of one example, for any network. */
export function powersOfOne(
  network: Network,
  weights: Weights,
  statistics: Params,
  x: tf.Tensor,
  power: 1 | 2,
  f: OfLogits,
): Weights {
  const { grads } = valueAndGrad((at: Weights) => tf.sum(f(evaluated(network, at, statistics, x))), weights);
  return mapTensors((g) => (power === 1 ? tf.abs(g) : tf.square(g)), grads);
}

/** A tree like another, each leaf made from its path. */
export function inTree<T>(like: T, make: (path: string, leaf: tf.Tensor) => tf.Tensor): T {
  const names = paths(like as Tree).map(([path]) => path);
  let next = 0;
  return leaves(like as Tree).length === 0 ? like : mapTensors((leaf) => make(names[next++]!, leaf), like);
}
