/** Takes a share of a table that has each class in the same proportion. */
import type { Rng } from "../../engine/random.ts";

/** The examples of each class, in their order; kept, so that asking again for the same labels costs nothing. */
export function byClass(labels: Int32Array): ReadonlyMap<number, Uint32Array> {
  const known = grouped.get(labels);
  if (known !== undefined) return known;
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) counts.set(labels[i]!, (counts.get(labels[i]!) ?? 0) + 1);
  const found = new Map<number, Uint32Array>();
  for (const label of [...counts.keys()].sort((a, b) => a - b)) found.set(label, new Uint32Array(counts.get(label)!));
  const next = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) {
    const place = next.get(labels[i]!) ?? 0;
    found.get(labels[i]!)![place] = i;
    next.set(labels[i]!, place + 1);
  }
  grouped.set(labels, found);
  return found;
}

const grouped = new WeakMap<Int32Array, ReadonlyMap<number, Uint32Array>>();

/**
 * Draws `share` of the examples at random, of each class alike, and says which are left; both in ascending order. A class of two or more
 * examples has at least one in each part, a class of one stays in `rest`.
 */
export function stratified(labels: Int32Array, share: number, rng: Rng): { drawn: Uint32Array; rest: Uint32Array } {
  const isDrawn = new Uint8Array(labels.length);
  for (const [label, at] of byClass(labels)) {
    const wanted = Math.round(at.length * share);
    const count = at.length < 2 ? 0 : Math.min(at.length - 1, Math.max(1, wanted));
    for (const i of rng.at(label).sample(at.length, count)) isDrawn[at[i]!] = 1;
  }
  const at = Uint32Array.from(labels.keys());
  return { drawn: at.filter((i) => isDrawn[i] === 1), rest: at.filter((i) => isDrawn[i] === 0) };
}
