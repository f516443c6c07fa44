/** The kernel of a linear head, for strategies that read or change it. */
import { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";

/** The kernel `[features, columns]` of a network's head; throws for a head that has none. */
export function headKernel(where: string, { head }: Pick<Weights, "head">): tf.Tensor2D {
  if (head.kernel !== undefined) return head.kernel as tf.Tensor2D;
  throw new TypeError(
    `${where}: a linear head is required, got one of ${Object.keys(head).join(" and ")}; take the model without headed()`,
  );
}

/** The weights with some columns of a linear head replaced, and where it has a bias that of these columns. */
export function withColumns(
  weights: Weights,
  vectors: ReadonlyMap<number, ArrayLike<number>>,
  { bias = 0 }: { readonly bias?: number } = {},
): Weights {
  const { kernel, bias: old } = weights.head as { readonly kernel: tf.Tensor2D; readonly bias?: tf.Tensor };
  const [width, columns] = kernel.shape;
  const values = kernel.dataSync().slice();
  const biases = old?.dataSync().slice();
  for (const [column, vector] of vectors) {
    for (let j = 0; j < width; j++) values[j * columns + column] = vector[j]!;
    if (biases !== undefined) biases[column] = bias;
  }
  const head = {
    ...weights.head,
    kernel: tf.tensor2d(values, [width, columns]),
    ...(biases !== undefined && { bias: tf.tensor1d(biases) }),
  };
  return { ...weights, head };
}
