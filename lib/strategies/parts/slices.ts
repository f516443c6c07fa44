/** Slices of training data in several orders, as exact unlearning keeps them: what a deletion leaves. */

/** `count` orders of slices 0 to n − 1, each of which begins with another slice: rotations. */
export function rotations(n: number, count: number): number[][] {
  return Array.from({ length: Math.min(n, count) }, (_, by) => Array.from({ length: n }, (_, i) => (i + by) % n));
}

/** How many slices of an order, from its first, have not been hit. */
export function intact<S>(order: readonly S[], hit: (slice: S) => boolean): number {
  const first = order.findIndex(hit);
  return first < 0 ? order.length : first;
}

/**
 * How many deletions, each of a slice drawn from all, are expected until no shard has an order with a slice left: all the first slices
 * must be hit, `shards · slices · H(shards · min(sequences, slices))`.
 */
export function expectedDeletions(shards: number, slices: number, sequences: number): number {
  const firsts = shards * Math.min(sequences, slices);
  let harmonic = 0;
  for (let k = 1; k <= firsts; k++) harmonic += 1 / k;
  return shards * slices * harmonic;
}
