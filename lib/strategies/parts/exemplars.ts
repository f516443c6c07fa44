/** Chosen examples of each class, in the order in which they were chosen. */
import { type Examples, type Raw, type Shape, sizeOf, table } from "../../data/dataset.ts";

/** Exemplars: raw rows of each class, the most important first. */
export interface Exemplars {
  readonly shape: Shape;
  readonly scale: number;
  readonly classes: ReadonlyMap<number, Raw>;
}

/** How exemplars are chosen: by herding, or at random. */
export type Choice = "herding" | "random";

/**
 * The order in which herding chooses rows: each next one brings the mean of those chosen nearest to the mean of all (Welling 2009;
 * Rebuffi et al. 2017, algorithm 4). `vectors` has `width` numbers for each of `n` rows.
 */
export function herded(vectors: Float32Array, width: number, count: number): Uint32Array {
  const n = vectors.length / width;
  const mean = new Float64Array(width);
  for (let i = 0; i < vectors.length; i++) mean[i % width]! += vectors[i]! / n;
  const sum = new Float64Array(width);
  const chosen = new Uint32Array(Math.min(count, n));
  const taken = new Uint8Array(n);
  for (let k = 0; k < chosen.length; k++) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      if (taken[i] === 1) continue;
      let distance = 0;
      for (let j = 0; j < width; j++) {
        const apart = mean[j]! - (sum[j]! + vectors[i * width + j]!) / (k + 1);
        distance += apart * apart;
      }
      if (distance < least) [best, least] = [i, distance];
    }
    taken[best] = 1;
    chosen[k] = best;
    for (let j = 0; j < width; j++) sum[j]! += vectors[best * width + j]!;
  }
  return chosen;
}

/** Exemplars with some rows of a table as those of a class, and at most `share` of every class. */
export function withClass(
  exemplars: Exemplars | null,
  label: number,
  examples: Examples,
  rows: Uint32Array,
  share: number,
): Exemplars {
  const { shape, scale } = examples;
  const size = sizeOf(shape);
  const classes = new Map(exemplars?.classes ?? []);
  const own: Raw = examples.bytes ? new Uint8Array(rows.length * size) : new Float32Array(rows.length * size);
  examples.read(rows, own);
  classes.set(label, own);
  for (const [key, kept] of classes) classes.set(key, kept.slice(0, share * size));
  return { shape, scale, classes };
}

/** All exemplars as one table. */
export function exemplarTable({ shape, scale, classes }: Exemplars): Examples {
  const size = sizeOf(shape);
  const total = [...classes.values()].reduce((n, rows) => n + rows.length, 0);
  const bytes = [...classes.values()].every((rows) => rows instanceof Uint8Array);
  const all: Raw = bytes ? new Uint8Array(total) : new Float32Array(total);
  const labels = new Int32Array(total / size);
  let at = 0;
  for (const [label, rows] of classes) {
    all.set(rows, at);
    labels.fill(label, at / size, (at + rows.length) / size);
    at += rows.length;
  }
  return table(all, labels, shape, scale);
}

/** Whether all exemplars of some class with more than one are the same constant image: a sign of a broken memory. */
export function constantClass({ classes, shape }: Exemplars): number | null {
  const size = sizeOf(shape);
  for (const [label, rows] of classes)
    if (size > 1 && rows.length > size && rows.every((value) => value === rows[0])) return label;
  return null;
}
