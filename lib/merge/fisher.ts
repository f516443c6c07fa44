import type { Examples } from "../data/dataset.ts";
import { needWhole, withDefaults } from "../data/options.ts";
import { disposeTree, jit, mapTensors, scoped, type Tree, tf, valueAndGrad } from "../engine/index.ts";
import type { Weights } from "../models/network.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Merged, type MergeOptions, mergedBy, type Place, type Vector } from "./merging.ts";
import { logitsOf, requireTables, rowsOf, someOf } from "./parts/data.ts";
import { plus, vectorOf } from "./parts/vectors.ts";

/** What `fisher` can be told. */
export interface FisherOptions extends MergeOptions {
  /** Examples of each table that the information is measured on, at most; default 64. */
  readonly samples?: number;
  /** The least information that a parameter counts with; default 1e-6. */
  readonly floor?: number;
}

/**
 * Fisher merging: the mean of the networks, in which each parameter counts by how much its network's predictions depend on it:
 * `θ = Σ Fᵢ θᵢ / Σ Fᵢ` with the diagonal of the Fisher information.
 *
 * Each network has a table of its own; labels are not used, as the information is a mean over what the network itself predicts.
 *
 * Matena and Raffel 2021, arXiv:2111.09832, eq. 3 and 4.
 *
 * @throws RangeError unless there is a table with examples for each network.
 *
 * @example
 * ```ts
 * import { blobs, merge, mlp, network, random, trained } from "thalweg";
 * const data = blobs({ classes: 2, dimensions: 3 });
 * const made = (seed: number) =>
 *   trained({ model: mlp({ hidden: [4] }), input: [3], weights: network(mlp({ hidden: [4] }), [3]).init(random(seed), 2) });
 * merge.fisher([made(0), made(1)], [data.train, data.train], { samples: 8 }).report.networks; // 2
 * ```
 */
export function fisher(
  networks: readonly TrainedNetwork[],
  tables: readonly Examples[],
  options: FisherOptions = {},
): Merged {
  const { samples = 64, floor = 1e-6, ...given } = options;
  withDefaults("merge.fisher", { samples, floor }, { samples: 64, floor: 1e-6 });
  needWhole("merge.fisher", "samples", samples);
  requireTables("fisher", networks, tables);
  return mergedBy("fisher", { samples, floor }, networks, given, { needsBase: false }, (vectors, places, base) => {
    const weights = networks.map((network, i) => informationOf(network, tables[i]!, samples, places));
    const own = base === null ? vectors : vectors.map((vector) => plus(vector, base));
    const merged = own[0]!.map((_, i) => {
      const all = weights.map((weight) => Math.max(weight[i]!, floor));
      return all.reduce((sum, f, k) => sum + f * own[k]![i]!, 0) / all.reduce((a, b) => a + b, 0);
    });
    return base === null ? merged : plus(merged, base, -1);
  });
}

/** The diagonal of the Fisher information of a network over examples: a backward pass for each example and column. */
function informationOf(
  { structure, weights, statistics, classes }: TrainedNetwork,
  table: Examples,
  samples: number,
  places: readonly Place[],
): Vector {
  const add = jit(
    (sum: Weights, at: Weights, x: tf.Tensor, column: tf.Tensor): Weights => {
      const share = tf.sum(tf.mul(tf.softmax(logitsOf(structure, at, statistics, x)), column));
      const { grads } = valueAndGrad(
        (own: Weights) => tf.sum(tf.mul(tf.logSoftmax(logitsOf(structure, own, statistics, x)), column)) as tf.Scalar,
        at,
      );
      return mapTensors((before, g) => tf.add(before, tf.mul(share, tf.square(g!))), sum, grads);
    },
    { name: "fisher", donate: [0] },
  );
  let sum = scoped(() => mapTensors((w) => tf.zerosLike(w), weights));
  const chosen = someOf(table, samples);
  for (const i of chosen) {
    const x = rowsOf(table, Uint32Array.of(i));
    for (let column = 0; column < classes.length; column++) {
      const hot = tf.tensor2d(
        Float32Array.from(classes, (_, c) => (c === column ? 1 : 0)),
        [1, classes.length],
      );
      sum = add(sum, weights, x, hot);
      hot.dispose();
    }
    x.dispose();
  }
  const found = vectorOf(sum, places).map((x) => x / chosen.length);
  disposeTree(sum as unknown as Tree);
  return found;
}
