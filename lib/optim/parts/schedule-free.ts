/** What optimizers without a schedule share: they take gradients between the last point and the average of all. */
import { cloneTree, mapTensors, type Tree, tf } from "../../engine/index.ts";

/** The last point, the largest rate so far, and the sum of the weights of the points in the average. */
export type Free = { readonly last: Tree; readonly most: tf.Tensor; readonly sum: tf.Tensor };

/** Before the first step. */
export function freeFrom(params: Tree): Free {
  return { last: cloneTree(params), most: tf.scalar(0), sum: tf.scalar(0) };
}

/**
 * A step: `z ← z − rate · d`; the average takes the new point in with a weight of the largest rate so far, squared; the parameters
 * `y = (1 − momentum) z + momentum x` follow both.
 */
export function freely(
  { last, most, sum }: Free,
  direction: Tree,
  params: Tree,
  rate: tf.Tensor,
  momentum: number,
): readonly [updates: Tree, next: Free] {
  const largest = tf.maximum(most, rate);
  const weight = tf.square(largest);
  const whole = tf.add(sum, weight);
  const share = tf.div(weight, tf.maximum(whole, 1e-30));
  const down = tf.mul(rate, tf.sub(tf.mul(tf.sub(1, share), momentum), 1));
  const updates = mapTensors(
    (y, z, d) => tf.add(tf.mul(tf.sub(z!, y), share), tf.mul(d!, down)),
    params,
    last,
    direction,
  );
  return [
    updates,
    { last: mapTensors((z, d) => tf.sub(z, tf.mul(d!, rate)), last, direction), most: largest, sum: whole },
  ];
}

/** The average `x`, from the parameters and the last point. */
export function averageOf(params: Tree, { last }: Pick<Free, "last">, momentum: number): Tree {
  return mapTensors((y, z) => tf.add(y, tf.mul(tf.sub(z!, y), 1 - 1 / momentum)), params, last);
}

/** @throws RangeError unless the average is part of what the gradient is taken at. */
export function needMomentum(where: string, momentum: number): void {
  if (!(momentum > 0 && momentum <= 1))
    throw new RangeError(`${where}: a momentum above 0 and at most 1 is required, got ${momentum}`);
}
