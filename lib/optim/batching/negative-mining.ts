import { needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";
import { balancedClusters } from "../parts/clusters.ts";

/**
 * Batches of examples that are easily taken for one another, so that the labels of a batch are hard negatives of each other.
 *
 * Before every so many passes what the head gets for each example is divided into clusters of at most `size` examples near each other; a batch is made of
 * clusters in random order. Between them, and in the first `warmup` passes, the order is random. Goes with `inBatchNegatives`, which lets only the
 * classes of a batch compete.
 *
 * Implements: P400 NGAME
 * Dahiya et al. 2023, "NGAME: negative mining-aware mini-batching for extreme classification", arXiv:2207.04452, section 4 and algorithm 1, with the balanced
 * two-means of its program; its loss over the batch is `inBatchNegatives`.
 * Differs from the paper: each example has one class; clusters do not grow during training.
 *
 * @example
 * ```ts
 * import { negativeMining } from "thalweg";
 * negativeMining({ size: 16 }).spec.options; // { size: 16, every: 1, warmup: 1 }
 * ```
 */
export const negativeMining = batching(
  "negativeMining",
  {
    /** Examples in a cluster at most. */
    size: 8,
    /** Passes from one that is made of clusters to the next. */
    every: 1,
    /** Passes in random order at first. */
    warmup: 1,
  },
  ({ size, every, warmup }) => {
    needWhole("negativeMining", "size", size, 2);
    needWhole("negativeMining", "every", every);
    needWhole("negativeMining", "warmup", warmup, 0);
    const mines = (epoch: number): boolean => epoch >= warmup && (epoch - warmup) % every === 0;
    return {
      features: mines,
      order({ labels, epoch, features, rng }) {
        if (!mines(epoch)) return rng.permutation(labels.length);
        const clusters = balancedClusters(features!, features!.length / labels.length, size, rng.at("clusters"));
        return Uint32Array.from([...rng.permutation(clusters.length)].flatMap((k) => [...clusters[k]!]));
      },
    };
  },
);
