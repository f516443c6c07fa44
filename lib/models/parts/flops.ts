/** How many floating-point operations a network takes, counted from the shapes of its layers. */
import { jit, leaves, type Tree, tf } from "../../engine/index.ts";
import { type Params, tape } from "../model.ts";
import type { Network, Weights } from "../network.ts";

/**
 * The multiplications and additions of one example's pass forwards through the layers with weights: twice the numbers in a layer's
 * kernels for each place that they are applied to. What has no kernel (activations, pooling, normalisation, the scores of attention) is
 * not counted, as is usual; training takes three times as much, once forwards and twice backwards.
 */
export function flopsPerExample(network: Network, weights: Weights): number {
  return [...flopsByLayer(network, weights).values()].reduce((sum, flops) => sum + flops, 0);
}

/** The same for each layer, by where its tensors lie in the weights: "model/2-dense", "head". */
export function flopsByLayer(network: Network, weights: Weights): ReadonlyMap<string, number> {
  const flops = new Map<string, number>();
  const count = (path: readonly string[], _input: tf.Tensor, output: tf.Tensor, rows?: () => tf.Tensor): tf.Tensor => {
    const own = at(weights, path);
    const kernels = leaves(own as Tree).filter((t) => t.rank > 1);
    // a kernel that is mixed of templates is as large as what is multiplied by it
    const size =
      own.templates !== undefined && rows !== undefined
        ? rows().shape.at(-1)! * output.shape.at(-1)!
        : kernels.reduce((sum, kernel) => sum + kernel.size, 0);
    const name = path.join("/");
    flops.set(name, (flops.get(name) ?? 0) + (2 * size * output.size) / output.shape.at(-1)!);
    return output;
  };
  // Recorded as a program without results: nothing is computed.
  jit(
    () => {
      flops.clear();
      const x = tf.zeros([1, ...network.input]);
      const { mode } = tape(false, null, network.statistics(), count);
      network.logits(weights, network.features(weights, x, mode), count);
      return [];
    },
    { name: "flops" },
  )();
  return flops;
}

function at(weights: Weights, path: readonly string[]): Params {
  return path.reduce<Params>((node, name) => node[name] as Params, weights as unknown as Params);
}
