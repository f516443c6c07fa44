/** The rows of a table by their class. */
import type { Examples } from "../../data/dataset.ts";
import { byClass } from "../../data/parts/stratified.ts";

/** The rows of each class in their order, the class that comes first in the table first; rows without a label are left out. */
export function rowsByClass({ labels }: Pick<Examples, "labels">): ReadonlyMap<number, Uint32Array> {
  return new Map([...byClass(labels)].filter(([label]) => label >= 0).sort(([, a], [, b]) => a[0]! - b[0]!));
}
