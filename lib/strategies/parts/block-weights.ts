/** The tensors of a network's blocks as rows of matrices, so that blocks can share them by a product with a matrix of ones and zeros. */
import { paths, type Tree, tf, unflatten } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";

/** *Traced.* The weights in which each block has what `map` (`[blocks, blocks]`) makes of all blocks' tensors. Blocks are alike. */
export function mixedBlocks(weights: Weights, names: readonly string[], map: tf.Tensor): Weights {
  const trees = rowsOf(weights, names, map);
  const model = { ...weights.model, ...Object.fromEntries(names.map((name, i) => [name, trees[i]!])) };
  return { ...weights, model };
}

/** *Traced.* A tree for each row of `map` (`[rows, blocks]`): that mixture of the blocks' tensors. */
export function rowsOf(weights: Weights, names: readonly string[], map: tf.Tensor): readonly Params[] {
  const [rows, count] = map.shape as [number, number];
  const first = weights.model[names[0]!] as Params;
  const flat = names.map((name) => paths(weights.model[name] as Tree).map(([, tensor]) => tensor as tf.Tensor));
  const mixed = flat[0]!.map((tensor, k) => {
    const stacked = tf.reshape(tf.stack(flat.map((own) => own[k]!)), [count, tensor.size]);
    return tf
      .split(tf.matMul(map as tf.Tensor2D, stacked as tf.Tensor2D), rows, 0)
      .map((row) => tf.reshape(row, tensor.shape));
  });
  return Array.from({ length: rows }, (_, i) =>
    unflatten(
      first,
      mixed.map((own) => own[i]!),
    ),
  ) as unknown as readonly Params[];
}
