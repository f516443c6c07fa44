/** The layers with weights of a network of dense layers and convolutions, in the order in which examples pass through them. */

import { type Examples, gather } from "../../data/dataset.ts";
import { jit, paths as leafPaths, type Tree, tf } from "../../engine/index.ts";
import { type Params, type Tap, tape } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import type { Context, Step } from "../strategy.ts";
import { evaluated } from "./per-example.ts";

/** The path of a layer in the weights, joined by "/". */
export type LayerPath = string;

/** The input of each layer in order, or its rows; the head is the last. */
export type LayerInputs = { readonly [path: LayerPath]: tf.Tensor };

/**
 * Throws before any training unless all that is trained are the kernels and biases of dense layers and of convolutions without groups,
 * each passed through once: then a layer is the product of its rows and its kernel as a matrix.
 */
export function requireLayers(where: string, { network, weights, statistics }: Context): void {
  const fits = tf.tidy(() => {
    const met = new Map<string, number>();
    const tap: Tap = (path, input, output) => {
      const at = path.join("/");
      const { kernel } = layerAt(weights, at) as { readonly kernel?: tf.Tensor };
      const whole = kernel?.rank === 2 || (kernel !== undefined && kernel.shape[2] === input.shape[3]);
      met.set(at, whole && !met.has(at) ? 1 : 2);
      return output;
    };
    evaluated(network, weights, statistics, tf.zeros([1, ...network.input]), tap);
    return leafPaths({ model: weights.model, head: weights.head } as Tree).every(([path]) => {
      const [, layer, name] = /^(.*)\/([^/]+)$/.exec(path) ?? [];
      return met.get(layer ?? "") === 1 && (name === "kernel" || name === "bias");
    });
  });
  if (!fits)
    throw new TypeError(
      `${where}: a model of dense layers and convolutions is required, got ${network.model.spec.name}; use mlp(), cnn() or net() with these layers only`,
    );
}

/** Layers without weights between which units stay what they are: a flattened image has its channels side by side at each place. */
const between = "relu leakyRelu tanh sigmoid gelu silu dropout normalise pool globalPool flatten conv dense".split(" ");

/**
 * Throws unless the layers follow one another, each feeding the next alone: then what leaves a unit are the weights of the next layer.
 */
export function requireChain(where: string, context: Context): void {
  requireLayers(where, context);
  const other = context.network.model.stack?.find(({ name }) => !between.includes(name));
  if (other !== undefined)
    throw new TypeError(
      `${where}: dense layers and convolutions in a row are required, got ${other.name} among them; leave it out`,
    );
}

/** What each layer takes, as `of` gives it from the arguments of a tap. */
function tapped(
  network: Network,
  weights: Weights,
  statistics: Params,
  x: tf.Tensor,
  of: (input: tf.Tensor, rows: () => tf.Tensor) => tf.Tensor,
): LayerInputs {
  const inputs: Record<LayerPath, tf.Tensor> = {};
  const tap: Tap = (path, input, output, rows) => {
    inputs[path.join("/")] = of(input, rows);
    return output;
  };
  network.logits(weights, network.features(weights, x, tape(false, null, statistics, tap).mode), tap);
  return inputs;
}

/** *Traced.* The inputs of all layers in evaluation mode, images where they are convolutions. */
export function layerInputs(network: Network, weights: Weights, statistics: Params, x: tf.Tensor): LayerInputs {
  return tapped(network, weights, statistics, x, (input) => input);
}

/** *Traced.* The rows that all layers multiply by their kernels, `[places, d]`, in evaluation mode. */
export function layerRows(network: Network, weights: Weights, statistics: Params, x: tf.Tensor): LayerInputs {
  return tapped(network, weights, statistics, x, (_input, rows) => rows());
}

/** The paths of all layers in order; the head is the last. */
export function layerPaths({ network, weights, statistics }: Context): LayerPath[] {
  return tf.tidy(() => Object.keys(layerInputs(network, weights, statistics, tf.zeros([1, ...network.input]))));
}

/** *Traced.* The inputs of all layers in a step's own pass. */
export function stepInputs(step: Step, weights: Weights): LayerInputs {
  return layerInputs(step.network, weights, step.statistics, step.x);
}

/** At most so many windows of a convolution stand for all of its examples: they are many, and much alike. */
const mostWindows = 2048;

/** The rows of all layers for some examples drawn from a table, on the host; a column of ones stands for the bias. */
export function inputsOf(
  examples: Examples,
  count: number,
  context: Context,
): { readonly path: LayerPath; readonly rows: Float32Array; readonly width: number }[] {
  const { network, weights, statistics, rng, experience } = context;
  const at = rng.at("inputs", experience).sample(examples.length, Math.min(count, examples.length));
  const x = tf.tensor(gather(examples, at), [at.length, ...examples.shape]);
  const read = jit((w: Weights, batch: tf.Tensor) => layerRows(network, w, statistics, batch), { name: "inputs" });
  const found = read(weights, x);
  const out = Object.entries(found).map(([path, tensor]) => {
    const [all, inner] = tensor.shape as [number, number];
    const values = tensor.dataSync();
    const most = Math.max(at.length, mostWindows);
    const chosen = all <= most ? undefined : rng.at("windows", path).at(experience).sample(all, most);
    const rows = new Float32Array((chosen?.length ?? all) * (inner + 1));
    for (let i = 0; i < rows.length / (inner + 1); i++) {
      const row = chosen?.[i] ?? i;
      rows.set(values.subarray(row * inner, (row + 1) * inner), i * (inner + 1));
      rows[i * (inner + 1) + inner] = 1;
    }
    tensor.dispose();
    return { path, rows, width: inner + 1 };
  });
  x.dispose();
  return out;
}

/** The tensors of one layer: the kernel is `[d, units]`, or `[window, window, channels, units]` of a convolution. */
export function layerAt(tree: Weights, path: LayerPath): { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor1D } {
  let node: unknown = tree;
  for (const name of path.split("/")) node = (node as Record<string, unknown>)[name];
  return node as { kernel: tf.Tensor; bias?: tf.Tensor1D };
}

/** A kernel as a matrix of as many columns as the layer has units. */
export function asMatrix(kernel: tf.Tensor): tf.Tensor2D {
  return tf.reshape(kernel, [-1, kernel.shape.at(-1)!]) as tf.Tensor2D;
}

/** How many units a layer has: columns of a dense layer, filters of a convolution. */
export function unitsAt(tree: Weights, path: LayerPath): number {
  return layerAt(tree, path).kernel.shape.at(-1)!;
}

/** *Traced.* A number for each unit, in a shape that goes over what the layer gives: `[…, units]`. */
export function overUnits(values: tf.Tensor, output: tf.Tensor): tf.Tensor {
  const [rows, units] = values.shape as [number, number];
  return tf.reshape(values, [rows, ...Array<number>(output.rank - 2).fill(1), units]);
}

/** *Traced.* A number for each unit of the layer before, in a shape that goes over a kernel: that of its inputs. */
export function overInputs(values: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
  const units = values.size;
  if (kernel.rank === 4) return tf.reshape(values, [1, 1, units, 1]);
  const inputs = kernel.shape[0]!;
  return tf.reshape(tf.tile(tf.reshape(values, [1, units]), [inputs / units, 1]), [inputs, 1]);
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
    const matrix = asMatrix(kernel);
    const [d, units] = matrix.shape;
    const under = bias === undefined ? tf.zeros([1, units]) : tf.reshape(bias, [1, units]);
    const changed = change(tf.concat([matrix, under as tf.Tensor2D], 0), path);
    const parts = {
      kernel: tf.reshape(tf.slice(changed, [0, 0], [d, units]), kernel.shape),
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
