/** Tables that say which expert a token goes to, for `hashMoe`. */

import { needWhole } from "../data/options.ts";
import { kMeans, nearestCentres } from "../data/parts/k-means.ts";
import { random } from "../engine/index.ts";

/** Options of tables that are drawn. */
export interface HashTableOptions {
  /** Draws the table. Default 0. */
  readonly seed?: number;
}

/**
 * Tables from tokens to experts, fixed before training: an expert from 0 for each token.
 *
 * `random(tokens, experts)` draws each. `balanced(counts, experts)` gives the tokens, the most frequent first, to the expert that has the fewest occurrences
 * so far, for counts from the training data. `clustered(vectors, experts)` puts tokens with near vectors together (those of a trained embedding), by
 * k-means; `dispersed(vectors, experts)` spreads each cluster over the experts. Roller et al. 2021, arXiv:2106.04426, section 3.2.
 *
 * @example
 * ```ts
 * import { hashTables } from "thalweg";
 * hashTables.balanced([5, 9, 1, 4], 2); // [1, 0, 0, 1]
 * ```
 */
export const hashTables = {
  random(tokens: number, experts: number, { seed = 0 }: HashTableOptions = {}): number[] {
    require("random", tokens, experts);
    const rng = random(seed).at("hash table");
    return Array.from({ length: tokens }, () => rng.int(experts));
  },
  balanced(counts: readonly number[], experts: number): number[] {
    require("balanced", counts.length, experts);
    const order = counts.map((_, token) => token).sort((a, b) => counts[b]! - counts[a]! || a - b);
    const held = new Array<number>(experts).fill(0);
    const table = new Array<number>(counts.length).fill(0);
    for (const token of order) {
      const least = held.indexOf(Math.min(...held));
      table[token] = least;
      held[least]! += counts[token]!;
    }
    return table;
  },
  clustered(vectors: readonly ArrayLike<number>[], experts: number, options: HashTableOptions = {}): number[] {
    return clusters("clustered", vectors, experts, options);
  },
  dispersed(vectors: readonly ArrayLike<number>[], experts: number, options: HashTableOptions = {}): number[] {
    const met = new Map<number, number>();
    return clusters("dispersed", vectors, experts, options).map((cluster) => {
      const before = met.get(cluster) ?? 0;
      met.set(cluster, before + 1);
      return before % experts;
    });
  },
};

function clusters(
  how: string,
  vectors: readonly ArrayLike<number>[],
  experts: number,
  { seed = 0 }: HashTableOptions,
): number[] {
  require(how, vectors.length, experts);
  const width = vectors[0]!.length;
  const rows = new Float32Array(vectors.length * width);
  for (const [i, vector] of vectors.entries()) {
    if (vector.length !== width)
      throw new RangeError(`hashTables.${how}: vectors of one length are required, got ${width} and ${vector.length}`);
    rows.set(Float32Array.from(vector), i * width);
  }
  return nearestCentres(rows, kMeans(rows, width, experts, random(seed).at("hash table")), width);
}

function require(how: string, tokens: number, experts: number): void {
  needWhole(`hashTables.${how}`, "tokens", tokens);
  needWhole(`hashTables.${how}`, "experts", experts);
}
