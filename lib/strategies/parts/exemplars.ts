/** Chosen examples of each class, in the order in which they were chosen. */
import { type Examples, joined, type Raw, type Shape, select, sizeOf, table } from "../../data/dataset.ts";
import type { Experience } from "../../streams/stream.ts";
import type { Context } from "../strategy.ts";
import { binned, evenly } from "./quantised.ts";
import { tasksByColumn } from "./tasks.ts";

/** Exemplars: raw rows of each class, the most important first. */
export interface Exemplars {
  readonly shape: Shape;
  readonly scale: number;
  readonly classes: ReadonlyMap<number, Raw>;
}

/** How exemplars are chosen: by herding, evenly from the bins of a quantisation, or at random. */
export type Choice = (typeof choices)[number];
export const choices = ["herding", "quantised", "random"] as const;
/** Bins of the quantisation of a class. */
const bins = 10;

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

/** The hooks of a method that trains on an experience's examples together with its exemplars. */
export const rehearsal = {
  batch: tasksByColumn,
  data: ({ exemplars }: { readonly exemplars: Exemplars | null }, { train }: Experience): Examples =>
    exemplars === null ? train : joined([train, exemplarTable(exemplars)]),
};

/** The classes among some that have no exemplars yet. */
export function unmet(exemplars: Exemplars | null, classes: readonly number[]): number[] {
  return classes.filter((label) => !(exemplars?.classes.has(label) ?? false));
}

/** The share of the classes with exemplars among all classes when some more arrive. */
export function shareOfOld(exemplars: Exemplars | null, arriving: readonly number[]): number {
  const met = exemplars?.classes.size ?? 0;
  return met / Math.max(1, met + unmet(exemplars, arriving).length);
}

/** What to say of classes all of whose exemplars, of more than one, are the same constant image: a sign of a broken memory. */
export function blanks(exemplars: Exemplars | null): string[] {
  if (exemplars === null) return [];
  const size = sizeOf(exemplars.shape);
  return [...exemplars.classes].flatMap(([label, rows]) =>
    size > 1 && rows.length > size && rows.every((value) => value === rows[0])
      ? [`the exemplars of class ${label} are constant images`]
      : [],
  );
}

/** Rows of length 1. */
export function unitRows(vectors: Float32Array, rows: number): Float32Array {
  const width = vectors.length / rows;
  const out = vectors.slice();
  for (let i = 0; i < rows; i++) {
    const row = out.subarray(i * width, (i + 1) * width);
    const length = Math.hypot(...row) || 1;
    for (let j = 0; j < width; j++) row[j]! /= length;
  }
  return out;
}

/** The herding order of rows as unit vectors. */
function herdedRows(features: Float32Array, rows: number, share: number): Uint32Array {
  return herded(unitRows(features, rows), features.length / rows, share);
}

/** The rows of a class that are kept, in the order of their choice. */
function chosenRows(
  own: Examples,
  share: number,
  choose: Choice,
  { rng, outputs }: Context,
  label: number,
): Uint32Array {
  const noise = rng.at("exemplars", label);
  if (choose === "random") return noise.sample(own.length, Math.min(share, own.length));
  const { features } = outputs(own);
  if (choose === "herding") return herdedRows(features, own.length, share);
  const vectors = unitRows(features, own.length);
  return evenly(binned(vectors, vectors.length / own.length, bins), noise).slice(0, share);
}

/**
 * The exemplars after an experience: its classes get `capacity` divided by the number of all classes so far (or of the whole
 * stream), in the order of their choice; the others keep the first so many of theirs.
 */
export function withExperience(
  exemplars: Exemplars | null,
  index: number,
  classes: readonly number[],
  capacity: number,
  choose: Choice,
  context: Context,
  among: "met" | "all" = "met",
): Exemplars | null {
  const { train } = context.stream.experience(index);
  const known = new Set([...(exemplars?.classes.keys() ?? []), ...classes]);
  const sharers = among === "met" ? known.size : Math.max(known.size, context.stream.classes.length);
  const share = Math.max(1, Math.floor(capacity / sharers));
  let next = exemplars;
  for (const label of classes) {
    const rows = Uint32Array.from([...train.labels.keys()].filter((i) => train.labels[i] === label));
    if (rows.length === 0) continue;
    const own = select(train, rows);
    next = withClass(next, label, own, chosenRows(own, share, choose, context, label), share);
  }
  return next;
}
