/** Whether it can be told that a network was trained on examples. */
import type { Examples } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import type { TrainedNetwork } from "../models/trained.ts";

/** What a membership attack comes to. */
export interface Membership {
  /** The probability that an example the network was trained on has a lower loss than one it was not: 0.5 tells nothing. */
  readonly auc: number;
  /** The share that the best threshold gets right, of as many of the one as of the other: 0.5 tells nothing. */
  readonly accuracy: number;
}

/**
 * A membership attack by the loss: how well it can be told which of two tables a network was trained on. Of a table that was unlearnt, 0.5
 * against examples that were never seen says that it cannot be told.
 *
 * Yeom et al. 2018, "Privacy risk in machine learning", arXiv:1709.01604, section 3.
 *
 * @example
 * ```ts
 * import { blobs, membership, mlp, network, random, trained } from "thalweg";
 * const model = mlp({ hidden: [4] });
 * const big = trained({ model, input: [3], weights: network(model, [3]).init(random(0), 2) });
 * const { train } = blobs({ classes: 2, dimensions: 3 });
 * membership(big, train, train).auc; // 0.5
 * ```
 */
export function membership(network: TrainedNetwork, members: Examples, others: Examples): Membership {
  if (members.length === 0 || others.length === 0)
    throw new RangeError(
      `membership: two tables with examples are required, got ${members.length} and ${others.length}`,
    );
  const [inside, outside] = [members, others].map((table) => [...lossesOf(network, table)].sort((a, b) => a - b));
  let wins = 0;
  for (const loss of inside!)
    wins +=
      outside!.length - rank(outside!, loss, true) + (rank(outside!, loss, true) - rank(outside!, loss, false)) / 2;
  const best = [...inside!, ...outside!].reduce((most, limit) => {
    const [caught, wrong] = [
      rank(inside!, limit, true) / inside!.length,
      rank(outside!, limit, true) / outside!.length,
    ];
    return Math.max(most, (1 + caught - wrong) / 2, (1 - caught + wrong) / 2);
  }, 0.5);
  return { auc: wins / (inside!.length * outside!.length), accuracy: best };
}

/** The cross-entropy of each example. */
export function lossesOf(network: TrainedNetwork, table: Examples): Float32Array {
  const logits = network.predict(table);
  const found = tf.tidy(() => {
    const hot = tf.oneHot(tf.tensor1d(table.labels.slice(0, table.length), "int32"), logits.shape[1]!);
    return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), hot), -1)).dataSync() as Float32Array;
  });
  logits.dispose();
  return found;
}

/** How many of some sorted numbers are below a limit, or at most it. */
function rank(sorted: readonly number[], limit: number, atMost: boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < limit || (atMost && sorted[middle] === limit)) low = middle + 1;
    else high = middle;
  }
  return low;
}
