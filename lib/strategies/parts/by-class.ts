/** The rows of a table by their class. */
import type { Examples } from "../../data/dataset.ts";

const known = new WeakMap<Int32Array, ReadonlyMap<number, readonly number[]>>();

/** The rows of each class in their order; rows without a label are left out. Kept for as long as the table's labels are. */
export function rowsByClass({ labels }: Pick<Examples, "labels">): ReadonlyMap<number, readonly number[]> {
  const before = known.get(labels);
  if (before !== undefined) return before;
  const found = new Map<number, number[]>();
  for (const [i, label] of labels.entries()) {
    if (label < 0) continue;
    const own = found.get(label) ?? [];
    own.push(i);
    found.set(label, own);
  }
  known.set(labels, found);
  return found;
}
