/** Gradients beside finite differences. */
import { leaves, tf, valueAndGrad } from "../../lib/engine/index.ts";
import type { Params } from "../../lib/models/model.ts";

interface Given {
  readonly x: tf.Tensor;
  readonly params: Params;
}

/** The rise of a loss along its own gradient by central differences, `by` either way, as a share of the gradient's length: 1. */
export function slopeAlong(loss: (given: Given) => tf.Tensor, given: Given, by: number): number {
  const slopes = leaves(valueAndGrad(loss as (given: Given) => tf.Scalar, given).grads as never);
  const length = Math.sqrt(slopes.reduce((sum, g) => sum + tf.sum(tf.square(g)).dataSync()[0]!, 0));
  const moved = (step: number): number => {
    let next = 0;
    const visit = (node: unknown): unknown =>
      node instanceof tf.Tensor
        ? tf.add(node, tf.mul(slopes[next++]!, step / length))
        : Object.fromEntries(Object.entries(node as object).map(([name, inner]) => [name, visit(inner)]));
    return loss(visit(given) as Given).dataSync()[0]!;
  };
  return (moved(by) - moved(-by)) / (2 * by) / length;
}
