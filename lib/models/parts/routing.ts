/** Routers: which experts a row goes to, and what a router costs. */
import { tf } from "../../engine/index.ts";
import type { Mode } from "../model.ts";
import type { Routes } from "./experts.ts";
import { largest, still } from "./gradients.ts";

/** What a router decides, with the probabilities of all experts, `[n, experts]`. */
export interface Routed extends Routes {
  readonly probabilities: tf.Tensor2D;
}

/**
 * The experts of the `k` largest logits, `[n, experts]`. The gate of one is its probability (Fedus et al. 2022); the gates of several are shares of their
 * probabilities, which sum to 1 (Jiang et al. 2024).
 */
export function routed(logits: tf.Tensor2D, k: number): Routed {
  const probabilities = tf.softmax(logits) as tf.Tensor2D;
  const chosen = largest(logits, k);
  const hits = tf.oneHot(chosen, logits.shape[1], 1, 0, "float32");
  const own = tf.sum(tf.mul(hits, tf.expandDims(probabilities, 1)), 2) as tf.Tensor2D;
  const gates = k === 1 ? own : (tf.div(own, tf.sum(own, 1, true)) as tf.Tensor2D);
  return { chosen, gates, probabilities };
}

/** `[experts]`: the share of rows that chose each, which sum to the number of choices. */
export function loads({ chosen, probabilities }: Routed): tf.Tensor1D {
  const [n, experts] = probabilities.shape;
  return tf.div(tf.sum(tf.oneHot(chosen, experts, 1, 0, "float32"), [0, 1]), n) as tf.Tensor1D;
}

/** `experts · Σ f P`, with the mean probabilities P: as large as the number of choices where all are used alike (Fedus et al. 2022, equation 4). */
export function balanceLoss(shares: tf.Tensor1D, probabilities: tf.Tensor2D): tf.Scalar {
  return tf.mul(tf.sum(tf.mul(still(shares), tf.mean(probabilities, 0))), probabilities.shape[1]) as tf.Scalar;
}

/** The mean over rows of the squared logarithm of the sum of exponentials (Zoph et al. 2022, equation 5). */
export function zLoss(logits: tf.Tensor2D): tf.Scalar {
  return tf.mean(tf.square(tf.logSumExp(logits, 1))) as tf.Scalar;
}

/** What keeps the shares of several batches; empty for one. */
export function loadStatistics(experts: number, batches: number): { readonly [name: string]: tf.Tensor } {
  return batches > 1 ? { loads: tf.zeros([experts]), batches: tf.zeros([1]) } : {};
}

/** The mean of the shares of this batch and of those before it since the count last began, up to `batches` of them. */
export function gatheredLoads(now: tf.Tensor1D, mode: Mode, batches: number): tf.Tensor1D {
  if (batches === 1) return now;
  const [sum, count] = [tf.add(mode.read("loads"), still(now)), tf.add(mode.read("batches"), 1)];
  const open = tf.cast(tf.less(count, batches), "float32");
  mode.write("loads", tf.mul(sum, open));
  mode.write("batches", tf.mul(count, open));
  return tf.div(sum, count) as tf.Tensor1D;
}
