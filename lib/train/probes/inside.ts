/** A look inside the network of a run: what its layers answer to some examples, and their weights. */
import { type Examples, gather, sizeOf } from "../../data/dataset.ts";
import { scoped, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Network } from "../../models/network.ts";
import type { State, Strategy } from "../../strategies/strategy.ts";
import type { Frozen } from "../evaluate.ts";
import { passed } from "../pass.ts";
import type { NetworkView } from "./network-probes.ts";
import type { Matrix } from "./parts/matrix.ts";

/**
 * Passes examples through a network in evaluation mode and gives what each layer with weights hands on to the next one, activation and
 * pooling included, under the layer's path (`1-dense`); the features are those of the last one. Its weights are the layer's kernels.
 *
 * `task` is told to a strategy that makes the pass in its own way, unless it is null.
 */
export function inside(
  network: Network,
  strategies: readonly Strategy[],
  { weights, statistics, states }: Frozen,
  examples: Examples,
  task: number | null,
): NetworkView {
  const passing = strategies.find((s) => s.hooks.forward !== undefined);
  const rows = Uint32Array.from({ length: examples.length }, (_, i) => i);
  const activations: Record<string, Matrix> = {};
  scoped(() => {
    const met: { readonly layer: string; readonly input: tf.Tensor }[] = [];
    const tap = (path: readonly string[], input: tf.Tensor, output: tf.Tensor): tf.Tensor => {
      met.push({ layer: nameOf(path), input });
      return output;
    };
    passed(network, passing, ({ spec: { name } }) => (states[name] ?? {}) as State, {
      weights,
      statistics,
      x: tf.tensor(gather(examples, rows, new Float32Array(rows.length * sizeOf(examples.shape))), [
        rows.length,
        ...examples.shape,
      ]),
      task: task === null || passing === undefined ? null : tf.fill([rows.length], task, "int32"),
      training: false,
      rng: null,
      within: { tap },
    });
    for (const [i, { input }] of met.entries()) {
      const layer = met[i - 1]?.layer;
      if (layer === undefined || layer in activations) continue;
      const columns = input.shape.at(-1)!;
      activations[layer] = { data: input.dataSync(), rows: input.size / columns, columns };
    }
  });
  return { activations, weights: kernels({ ...weights.model, head: weights.head }) };
}

/** The path of a layer as it is shown. */
function nameOf(path: readonly string[]): string {
  return (path[0] === "model" ? path.slice(1) : path).join("/");
}

/** The kernels of each layer with weights, by its path. */
function kernels(node: Params, path: readonly string[] = []): Record<string, ArrayLike<number>> {
  const found: Record<string, ArrayLike<number>> = {};
  for (const [name, part] of Object.entries(node)) {
    if (!(part instanceof tf.Tensor)) Object.assign(found, kernels(part, [...path, name]));
    else if (part.rank > 1) found[path.join("/")] ??= part.dataSync();
  }
  return found;
}
