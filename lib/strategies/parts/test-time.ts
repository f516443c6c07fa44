/** What methods that learn at test time share. All of it is traced. */
import { mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import type { Context } from "../strategy.ts";
import { type Norms, normsOf } from "./norms.ts";

/** The entropy of each row's predictions, in nats. */
export function entropies(logits: tf.Tensor): tf.Tensor {
  return crossEntropyTo(logits, logits);
}

/** The cross-entropy of each row's predictions to those of others: `−Σ p(target) log p`. */
export function crossEntropyTo(target: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.neg(tf.sum(tf.mul(tf.softmax(target), tf.logSoftmax(logits)), -1));
}

/** The mean of the cross-entropies in both directions, of each row. */
export function symmetricTo(target: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.mul(tf.add(crossEntropyTo(target, logits), crossEntropyTo(logits, target)), 0.5);
}

/** The mean of values weighted by others; 0 where all weigh nothing. */
export function weightedMean(values: tf.Tensor, weights: tf.Tensor): tf.Scalar {
  return tf.div(tf.sum(tf.mul(values, weights)), tf.maximum(tf.sum(weights), 1e-12)) as tf.Scalar;
}

/** The cosine of each row to one vector. */
export function cosinesTo(vector: tf.Tensor, rows: tf.Tensor): tf.Tensor {
  const lengths = tf.mul(tf.norm(vector), tf.norm(rows, 2, -1));
  return tf.div(tf.sum(tf.mul(rows, vector), -1), tf.maximum(lengths, 1e-8));
}

/** `keep · old + (1 − keep) · now`, leaf by leaf. */
export function blended<T>(old: T, now: T, keep: number): T {
  return mapTensors((a, b) => tf.add(tf.mul(a, keep), tf.mul(b!, 1 - keep)), old, now);
}

/** One of two trees, by a scalar that is 1 for the first and 0 for the second. */
export function chosen<T>(on: tf.Tensor, first: T, second: T): T {
  return mapTensors((a, b) => tf.add(tf.mul(a, on), tf.mul(b!, tf.sub(1, on))), first, second);
}

/** A boolean as 1 or 0. */
export function as01(is: tf.Tensor): tf.Tensor {
  return tf.cast(is, "float32");
}

/** 1 where a number is below a limit, else 0. Unlike `tf.less`, a gradient may pass through it: it is 0. */
export function below(values: tf.Tensor, limit: tf.Tensor | number): tf.Tensor {
  return tf.sub(1, as01(tf.greaterEqual(values, limit)));
}

/** The greatest entropy of predictions among the columns that compete: the logarithm of their number. */
export function greatestEntropy(logits: tf.Tensor, mask: tf.Tensor | null): tf.Scalar {
  return (mask === null ? tf.scalar(Math.log(logits.shape.at(-1)!)) : tf.log(tf.sum(mask))) as tf.Scalar;
}

/** Parameters after a step of an optimizer, and its next state. */
export function moved<T>(optimizer: Optimizer, grads: T, state: Tree, at: T, lr: number): readonly [T, Tree] {
  const [updates, next] = optimizer.update(grads as unknown as Tree, state, at as unknown as Tree, tf.scalar(lr));
  return [mapTensors((old, move) => tf.add(old, move!), at, updates as unknown as T), next];
}

/**
 * State that belongs to what was trained: `begun` is 0 until the first batch after training or a reset has been seen, and then what is held
 * takes the place of the weights that were trained.
 */
export type Begun<T extends Tree> = { readonly begun: tf.Tensor; readonly held: T };

/** State before the first batch, with room for what a method holds. */
export function notBegun<T>(make: () => T): Begun<T & Tree> {
  return scoped(() => ({ begun: tf.scalar(0), held: make() as T & Tree }));
}

/** What is held, or before the first batch what stands at its beginning. */
export function heldOr<T>({ begun, held }: Begun<T & Tree>, beginning: T): T {
  return chosen(begun, held as T, beginning);
}

/** Throws unless a model has layers that normalise; gives their scales and shifts. */
export function requireNorms(where: string, weights: Weights): Norms {
  const norms = normsOf(weights);
  if (Object.keys(norms).length > 0) return norms;
  throw new TypeError(
    `${where}: a model with layers that normalise is required, got one without; use net().batchNorm()`,
  );
}

/** Zeros in the tree of the weights. */
export function zerosLike<T>(tree: T): T {
  return mapTensors((leaf) => tf.zerosLike(leaf), tree);
}

/** Why a method serves no streams of tokens. */
export const onePrediction = "it looks at one prediction for each example";

/** The hooks that make a method's carried state anew for the weights that there are, at the start and before every experience. */
export function afresh<S extends object>(
  make: (context: Context) => S,
): {
  init(context: Context): S;
  beforeExperience(state: S, experience: unknown, context: Context): S;
} {
  return { init: make, beforeExperience: (state, _experience, context) => ({ ...state, ...make(context) }) };
}
