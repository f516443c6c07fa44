/** Connections that are dropped and grown by how long their units have been in use, as SHARP has them. */
import { type Rng, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { type LayerInputs, type LayerPath, layerAt, overInputs, withLayer } from "./layers.ts";

/** A tensor for each layer. A type, to be a tree of tensors. */
export type ByLayer = { readonly [path: LayerPath]: tf.Tensor };

/**
 * Which connections there are, in the shape of each kernel with one place for a window, and the age of each unit: 0 not in use, 1 in use in this
 * experience, one more for each experience since.
 */
export type Wiring = { readonly connections: ByLayer; readonly ages: ByLayer };

/** The shape of a layer's connections. */
const shapeOf = ({ shape }: tf.Tensor): number[] => shape.map((size, axis) => (axis < shape.length - 2 ? 1 : size));

/** Random connections: each is there with the same probability, all of those of a first convolution; no unit in use. */
export function randomWiring(weights: Weights, paths: readonly LayerPath[], sparsity: number, rng: Rng): Wiring {
  const connections = paths.map((path, i) => {
    const { kernel } = layerAt(weights, path);
    const share = i === 0 && kernel.rank === 4 ? 1 : 1 - sparsity;
    return [path, tf.cast(tf.less(rng.at("connections", i).uniforms(shapeOf(kernel)), share), "float32")];
  });
  const ages = paths.map((path) => [path, tf.zeros([layerAt(weights, path).kernel.shape.at(-1)!])]);
  return { connections: Object.fromEntries(connections), ages: Object.fromEntries(ages) };
}

/** *Traced.* The mean activation of each unit: what goes into the next layer, a channel over all its places. */
export function activations(inputs: LayerInputs, paths: readonly LayerPath[], ages: ByLayer): ByLayer {
  const all = Object.keys(inputs);
  return Object.fromEntries(
    paths.map((path) => {
      const next = inputs[all[all.indexOf(path) + 1]!]!;
      const units = ages[path]!.size;
      return [path, tf.mean(tf.reshape(next, [-1, units]), 0)];
    }),
  );
}

/**
 * *Traced.* 1 for the units whose activations are the largest and come, added up from the largest down, to a share of the sum; the one that reaches it
 * is the last.
 */
export function mostActive(activation: tf.Tensor, share: tf.Tensor): tf.Tensor {
  const larger = tf.cast(tf.greater(tf.expandDims(activation, 0), tf.expandDims(activation, 1)), "float32");
  const before = tf.sum(tf.mul(larger, tf.expandDims(activation, 0)), 1);
  return tf.cast(tf.less(before, tf.mul(tf.sum(activation), share)), "float32");
}

/** *Traced.* `count` of the places where `free` is 1, drawn with the same probability; all where there are fewer. */
export function drawnPlaces(free: tf.Tensor, count: tf.Tensor, noise: tf.Tensor): tf.Tensor {
  const ranks = tf.mul(free, tf.add(noise, 1));
  const sorted = tf.topk(tf.reshape(ranks, [-1]), free.size).values;
  const wanted = tf.minimum(count, tf.sum(free));
  const at = tf.cast(tf.maximum(tf.sub(wanted, 1), 0), "int32");
  const bound = tf.gather(sorted, tf.reshape(at, [1]));
  const taken = tf.mul(free, tf.cast(tf.greaterEqual(ranks, bound), "float32"));
  return tf.mul(taken, tf.cast(tf.greater(wanted, 0), "float32"));
}

/**
 * *Traced.* The wiring of the next phase. Units of age 0 and 1 are told apart anew: those most active are in use. Connections from units not in use to
 * units that are, or have been, are dropped; as many of each layer grow at random towards units not in use.
 */
export function rewired({ connections, ages }: Wiring, activation: ByLayer, share: tf.Tensor, rng: Rng | null): Wiring {
  const paths = Object.keys(ages);
  const next: Record<LayerPath, tf.Tensor> = {};
  for (const path of paths) {
    const young = tf.lessEqual(ages[path]!, 1);
    next[path] = tf.where(young, mostActive(activation[path]!, share), ages[path]!);
  }
  const wired = paths.map((path, i) => {
    const there = connections[path]!;
    const idle = tf.cast(tf.equal(next[path]!, 0), "float32");
    const sources = i === 0 ? tf.zeros([1]) : tf.cast(tf.equal(next[paths[i - 1]!]!, 0), "float32");
    const from = i === 0 ? sources : overInputs(sources, there);
    const dropped = tf.mul(tf.mul(there, from), tf.sub(1, idle));
    const kept = tf.sub(there, dropped);
    const free = tf.mul(tf.sub(1, kept), idle);
    const noise =
      rng === null
        ? tf.reshape(tf.div(tf.range(0, there.size), there.size), there.shape)
        : rng.at("grown", i).uniforms(there.shape);
    return [path, tf.add(kept, drawnPlaces(free, tf.sum(dropped), noise))] as const;
  });
  return { connections: Object.fromEntries(wired), ages: next };
}

/** *Traced.* Weights that are 0 where there is no connection. */
export function wiredWeights(weights: Weights, connections: ByLayer): Weights {
  let next = weights;
  for (const [path, there] of Object.entries(connections)) {
    const { kernel } = layerAt(next, path);
    next = withLayer(next, path, { kernel: tf.mul(kernel, there) });
  }
  return next;
}

/** *Traced.* Weights into units that are marked as they were before. */
export function heldUnits(before: Weights, after: Weights, held: ByLayer): Weights {
  let next = after;
  for (const [path, units] of Object.entries(held)) {
    const [old, now] = [layerAt(before, path), layerAt(next, path)];
    const stays = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.add(tf.mul(a, units), tf.mul(b, tf.sub(1, units)));
    next = withLayer(next, path, {
      kernel: stays(old.kernel, now.kernel),
      ...(now.bias !== undefined && { bias: stays(old.bias!, now.bias) }),
    });
  }
  return next;
}

/** Weights whose kernels into units not in use are drawn anew, where there are connections, and whose biases there are 0. */
export function redrawn(weights: Weights, { connections, ages }: Wiring, rng: Rng): Weights {
  let next = weights;
  for (const [i, path] of Object.keys(ages).entries()) {
    const { kernel, bias } = layerAt(next, path);
    const idle = tf.cast(tf.equal(ages[path]!, 0), "float32");
    // the deviation of He et al. over what leaves a layer
    const leaves = kernel.size / kernel.shape.at(-2)!;
    const drawn = tf.mul(rng.at("redrawn", i).normals(kernel.shape, 0, Math.sqrt(2 / leaves)), connections[path]!);
    const mixed = (old: tf.Tensor, fresh: tf.Tensor): tf.Tensor =>
      tf.add(tf.mul(old, tf.sub(1, idle)), tf.mul(fresh, idle));
    next = withLayer(next, path, {
      kernel: mixed(kernel, drawn),
      ...(bias !== undefined && { bias: mixed(bias, tf.zerosLike(bias)) }),
    });
  }
  return next;
}
