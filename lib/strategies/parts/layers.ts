/** The layers with weights of a fully connected network, in the order in which examples pass through them. */

import { type Examples, gather } from "../../data/dataset.ts";
import { jit, tf } from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import type { Context, Step } from "../strategy.ts";
import { fullyConnected } from "./per-example.ts";

/** The path of a layer in the weights, joined by "/". */
export type LayerPath = string;

/** The input of each layer, `[n, d]`, in order; the head is the last. */
export type LayerInputs = { readonly [path: LayerPath]: tf.Tensor };

/** Throws before any training unless a network is made of fully connected layers. */
export function requireDense(where: string, { network, weights, statistics }: Context): void {
  if (fullyConnected(network, weights, statistics)) return;
  throw new TypeError(
    `${where}: a model of dense layers is required, got ${network.model.spec.name}; use mlp() or net() with dense layers only`,
  );
}

/** Throws unless it is a model of dense layers of which each feeds the next alone. */
export function requireChain(where: string, context: Context): void {
  requireDense(where, context);
  const graph = context.network.model.stack?.find(({ parts }) => parts !== undefined);
  if (graph !== undefined)
    throw new TypeError(`${where}: dense layers in a row are required, got ${graph.name}; leave it out`);
}

/** *Traced.* The inputs of all layers in evaluation mode. */
export function layerInputs(network: Network, weights: Weights, statistics: Params, x: tf.Tensor): LayerInputs {
  const inputs: Record<LayerPath, tf.Tensor> = {};
  const tap = (path: readonly string[], input: tf.Tensor, output: tf.Tensor): tf.Tensor => {
    inputs[path.join("/")] = input;
    return output;
  };
  network.logits(weights, network.features(weights, x, tape(false, null, statistics, tap).mode), tap);
  return inputs;
}

/** The paths of all layers in order; the head is the last. */
export function layerPaths({ network, weights, statistics }: Context): LayerPath[] {
  return tf.tidy(() => Object.keys(layerInputs(network, weights, statistics, tf.zeros([1, ...network.input]))));
}

/** *Traced.* The inputs of all layers in a step's own pass. */
export function stepInputs(step: Step, weights: Weights): LayerInputs {
  return layerInputs(step.network, weights, step.statistics, step.x);
}

/** The inputs of all layers for some examples drawn from a table, on the host; a column of ones stands for the bias. */
export function inputsOf(
  examples: Examples,
  count: number,
  context: Context,
): { readonly path: LayerPath; readonly rows: Float32Array; readonly width: number }[] {
  const { network, weights, statistics, rng, experience } = context;
  const at = rng.at("inputs", experience).sample(examples.length, Math.min(count, examples.length));
  const x = tf.tensor(gather(examples, at), [at.length, ...examples.shape]);
  const read = jit((w: Weights, batch: tf.Tensor) => layerInputs(network, w, statistics, batch), { name: "inputs" });
  const found = read(weights, x);
  const out = Object.entries(found).map(([path, tensor]) => {
    const inner = tensor.shape[1]!;
    const values = tensor.dataSync();
    const rows = new Float32Array(at.length * (inner + 1));
    for (let i = 0; i < at.length; i++) {
      rows.set(values.subarray(i * inner, (i + 1) * inner), i * (inner + 1));
      rows[i * (inner + 1) + inner] = 1;
    }
    tensor.dispose();
    return { path, rows, width: inner + 1 };
  });
  x.dispose();
  return out;
}

/** The tensors of one layer. */
export function layerAt(tree: Weights, path: LayerPath): { readonly kernel: tf.Tensor2D; readonly bias?: tf.Tensor1D } {
  let node: unknown = tree;
  for (const name of path.split("/")) node = (node as Record<string, unknown>)[name];
  return node as { kernel: tf.Tensor2D; bias?: tf.Tensor1D };
}

/**
 * *Traced.* Sums of `of`, in the shape of the kernel of the layer behind, over all that leaves each of `units` units: `[units]`. Before a
 * dense layer that follows a flattened image, a unit is a channel at all its places.
 */
export function leaving(of: tf.Tensor, units: number): tf.Tensor1D {
  const outputs = of.shape.at(-1)!;
  return tf.sum(tf.reshape(of, [-1, units, outputs]), [0, 2]) as tf.Tensor1D;
}

/** A tree with the tensors of some layers changed by a function of the layer's kernel over its bias, `[d + 1, units]`. */
export function withLayers(
  tree: Weights,
  paths: readonly LayerPath[],
  change: (stacked: tf.Tensor2D, path: LayerPath) => tf.Tensor,
): Weights {
  let next = tree;
  for (const path of paths) {
    const { kernel, bias } = layerAt(tree, path);
    const [d, units] = kernel.shape;
    const under = bias === undefined ? tf.zeros([1, units]) : tf.reshape(bias, [1, units]);
    const changed = change(tf.concat([kernel, under as tf.Tensor2D], 0), path);
    const parts = {
      kernel: tf.slice(changed, [0, 0], [d, units]),
      ...(bias !== undefined && { bias: tf.reshape(tf.slice(changed, [d, 0], [1, units]), [units]) }),
    };
    next = replaced(next as unknown as Params, path.split("/"), parts) as unknown as Weights;
  }
  return next;
}

function replaced(node: Params, [name, ...rest]: string[], parts: Params): Params {
  if (name === undefined) return { ...node, ...parts };
  return { ...node, [name]: replaced(node[name] as Params, rest, parts) };
}

/** A tree with other tensors for one layer. */
export function withLayer(tree: Weights, path: LayerPath, layer: { readonly [name: string]: tf.Tensor }): Weights {
  return replaced(tree as unknown as Params, path.split("/"), layer) as unknown as Weights;
}
