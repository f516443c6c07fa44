/** Optimizers of weight matrices, which leave everything else to another. */
import { type Tree, tf } from "../../engine/index.ts";
import { kindOf as byName } from "../../models/parameters.ts";
import type { KindOf, Optimizer, OptimizerParts, Seen, Sight } from "../optimizer.ts";
import { type Flat, subset, withSubset } from "./subset.ts";

/** What is done with the weight matrices of hidden layers, by their paths. */
export interface MatrixParts {
  readonly sees?: readonly Sight[];
  init(matrices: Flat): Tree;
  /** Steps of the matrices, and the next state. */
  update(grads: Flat, state: Tree, matrices: Flat, rate: tf.Tensor, seen?: Seen): readonly [updates: Flat, state: Tree];
}

/**
 * The parts of an optimizer whose matrices move in their own way, and everything else, the head and embeddings with it, by `rest` at
 * `share` of the rate.
 */
export function onMatrices(own: MatrixParts, rest: Optimizer, share: number): OptimizerParts {
  const parts = (kindOf: KindOf): OptimizerParts => {
    const isMatrix = (path: string, { rank }: tf.Tensor): boolean =>
      rank >= 2 && !path.startsWith("head/") && ["weight", "adapter"].includes(kindOf(path));
    const split = (tree: Tree, like: Tree): readonly [Flat, Flat] => {
      const all = subset(like, () => true);
      const matrix = (path: string): boolean => isMatrix(path, all[path]!);
      return [subset(tree, matrix), subset(tree, (path) => !matrix(path))];
    };
    return {
      ...(own.sees && { sees: own.sees }),
      init(params): Tree {
        const [matrices, more] = split(params, params);
        return { matrices: own.init(matrices), rest: rest.init(more) };
      },
      update(grads, state, params, rate, seen) {
        const had = state as { readonly matrices: Tree; readonly rest: Tree };
        const [[g, otherG], [w, otherW]] = [split(grads, params), split(params, params)];
        const [moved, matrices] = own.update(g, had.matrices, w, rate, seen);
        const [more, next] = rest.update(otherG, had.rest, otherW, tf.mul(rate, share));
        const all = { ...moved, ...(more as Flat) };
        return [withSubset(params, all, (leaf) => leaf), { matrices, rest: next }];
      },
    };
  };
  return { ...parts((path) => byName({}, path)), over: parts };
}

/** A tensor of two axes or more as a matrix `[inputs, outputs]`: of a convolution, from the numbers of a window to its filters. */
export function matrixOf(of: tf.Tensor): tf.Tensor2D {
  const outputs = of.shape.at(-1)!;
  return tf.reshape(of, [of.size / outputs, outputs]);
}

/** Applies a function to each of some tensors by their paths, and to what other trees hold at the same paths. */
export function byPath<R>(flat: Flat, fn: (path: string, tensor: tf.Tensor) => R): { readonly [path: string]: R } {
  return Object.fromEntries(Object.entries(flat).map(([path, tensor]) => [path, fn(path, tensor)]));
}
