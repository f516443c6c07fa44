/** Memories of raw examples: plain data, so that they are saved with the run, and functions over them. */
import { type Examples, type Raw, type Shape, sizeOf, table, targetTable } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import type { Batch, HostTensor } from "../strategy.ts";

/** Which examples stay when a memory is full. */
export type Keep = "reservoir" | "classBalanced";
export const keeps: readonly Keep[] = ["reservoir", "classBalanced"];

/** A memory: `size` of `capacity` rows are filled. */
export interface Buffer {
  readonly capacity: number;
  size: number;
  /** Examples offered so far. */
  seen: number;
  readonly shape: Shape;
  readonly scale: number;
  readonly rows: Raw;
  readonly labels: Int32Array;
  readonly tasks: Int32Array;
  /** What the rows ask for, `width` numbers each, where that is more than a class. */
  readonly targets?: Float32Array;
  /** Examples offered so far of each label; only the class-balanced rule uses it. */
  readonly offered: Map<number, number>;
}

/** An empty memory for raw examples like those of a table. */
export function emptyBuffer(capacity: number, like: Pick<Examples, "shape" | "scale" | "bytes" | "targets">): Buffer {
  const length = capacity * sizeOf(like.shape);
  return {
    capacity,
    size: 0,
    seen: 0,
    shape: like.shape,
    scale: like.scale,
    rows: like.bytes ? new Uint8Array(length) : new Float32Array(length),
    labels: new Int32Array(capacity),
    tasks: new Int32Array(capacity),
    ...(like.targets && { targets: new Float32Array(capacity * like.targets.width) }),
    offered: new Map(),
  };
}

/**
 * The place where the next example goes, or −1 when it is not kept.
 *
 * `reservoir`: every example seen so far is in the memory with the same probability (Vitter 1985, algorithm R). `classBalanced`: the
 * largest class makes room for smaller ones; within a full-sized class a reservoir decides (Chrysakis and Moens 2020, algorithm 1).
 */
export function placeFor(buffer: Buffer, label: number, keep: Keep, rng: Rng): number {
  buffer.seen++;
  const offered = (buffer.offered.get(label) ?? 0) + 1;
  buffer.offered.set(label, offered);
  if (buffer.size < buffer.capacity) return buffer.size++;
  if (keep === "reservoir") {
    const at = rng.int(buffer.seen);
    return at < buffer.capacity ? at : -1;
  }
  const counts = new Map<number, number>();
  for (const kept of buffer.labels) counts.set(kept, (counts.get(kept) ?? 0) + 1);
  const largest = Math.max(...counts.values());
  const own = counts.get(label) ?? 0;
  const pick = (from: (kept: number) => boolean): number => {
    const places = [...buffer.labels.keys()].filter((i) => from(buffer.labels[i]!));
    return places[rng.int(places.length)]!;
  };
  if (own < largest) return pick((kept) => counts.get(kept) === largest);
  return rng.uniform() <= own / offered ? pick((kept) => kept === label) : -1;
}

/**
 * Offers the current rows of a batch to the memory, an example of several views once; gives the place each one went to, or −1 for those
 * that were not kept or were replaced by a later row.
 */
export function offer(buffer: Buffer, batch: Batch, keep: Keep, rng: Rng): Int32Array {
  const places = new Int32Array(batch.current).fill(-1);
  const size = sizeOf(buffer.shape);
  const one = new Uint32Array(1);
  for (let i = 0; i < batch.current / (batch.views ?? 1); i++) {
    // An example without a label has nothing to be replayed with.
    if (batch.targets === null && batch.y[i]! < 0) {
      places[i] = -1;
      continue;
    }
    const place = placeFor(buffer, batch.y[i]!, keep, rng);
    places[i] = place;
    if (place < 0) continue;
    const before = places.indexOf(place);
    if (before < i) places[before] = -1;
    one[0] = batch.at[i]!;
    batch.from.read(one, buffer.rows, place * size);
    buffer.labels[place] = batch.y[i]!;
    buffer.tasks[place] = batch.task[i]!;
    const { width, targets } = asked(buffer);
    if (batch.targets !== null) targets.set(batch.targets.subarray(i * width, (i + 1) * width), place * width);
  }
  return places;
}

/** What the rows of a memory ask for besides a class; of width 0 where nothing is. */
export function asked({ targets = new Float32Array(0), capacity }: Pick<Buffer, "targets" | "capacity">): {
  readonly targets: Float32Array;
  readonly width: number;
} {
  return { targets, width: targets.length / capacity };
}

/** Places of `count` different examples of the memory, or of all when it holds fewer. */
export function draw(buffer: Buffer, count: number, rng: Rng): Uint32Array {
  return rng.sample(buffer.size, Math.min(count, buffer.size));
}

/** The rows at some places as the model sees them. */
export function recall(buffer: Buffer, places: ArrayLike<number>): Rows {
  const size = sizeOf(buffer.shape);
  const x = new Float32Array(places.length * size);
  for (let i = 0; i < places.length; i++) {
    const start = places[i]! * size;
    for (let j = 0; j < size; j++) x[i * size + j] = buffer.rows[start + j]! * buffer.scale;
  }
  const { targets, width } = asked(buffer);
  const wanted = new Float32Array(places.length * width);
  for (let i = 0; i < places.length; i++)
    wanted.set(targets.subarray(places[i]! * width, (places[i]! + 1) * width), i * width);
  return {
    x,
    ...(width > 0 && { targets: wanted }),
    y: Int32Array.from(places, (p) => buffer.labels[p]!),
    task: Int32Array.from(places, (p) => buffer.tasks[p]!),
  };
}

/** How rows are joined to a batch. */
export interface Joining {
  /** The name under which a strategy's traced hooks find the rows; without one they are part of the task alone. */
  readonly name?: string;
  /** The weight of each new row in the task's mean loss; default 1. With 0 only the strategy's own hooks use them. */
  readonly weight?: number;
}

/** Examples as the model sees them, with their columns and tasks. */
export interface Rows {
  readonly x: Float32Array;
  readonly y: Int32Array;
  readonly task: Int32Array;
  /** What they ask for, row after row, where that is more than a class. */
  readonly targets?: Float32Array;
}

/** A batch with more rows at its end. */
export function withRows(batch: Batch, more: Rows, { name, weight = 1 }: Joining = {}): Batch {
  const x = new Float32Array(batch.x.length + more.x.length);
  x.set(batch.x);
  x.set(more.x, batch.x.length);
  const both = (a: Int32Array, b: Int32Array): Int32Array => {
    const out = new Int32Array(a.length + b.length);
    out.set(a);
    out.set(b, a.length);
    return out;
  };
  const y = both(batch.y, more.y);
  let weights = batch.weight;
  if (weights !== null || weight !== 1) {
    const all = new Float32Array(y.length).fill(weight);
    all.set(weights ?? new Float32Array(batch.y.length).fill(1));
    weights = all;
  }
  const rows = name === undefined ? batch.rows : { ...batch.rows, [name]: [batch.y.length, y.length] as const };
  const { targets } = batch;
  const wanted = targets && more.targets ? Float32Array.of(...targets, ...more.targets) : targets;
  return { ...batch, x, y, task: both(batch.task, more.task), targets: wanted, weight: weights, rows };
}

/** A batch with one more group of inputs for a strategy's own hooks. */
export function withExtra(batch: Batch, name: string, extra: Readonly<Record<string, HostTensor>>): Batch {
  return { ...batch, extra: { ...batch.extra, [name]: { ...batch.extra[name], ...extra } } };
}

/** The filled part of a memory as a table. */
export function asTable(buffer: Buffer): Examples {
  const { rows, labels, size, shape, scale } = buffer;
  const { targets, width } = asked(buffer);
  const wanted = width === 0 ? undefined : targetTable(targets.slice(0, size * width), width);
  return table(rows.slice(0, size * sizeOf(shape)), labels.slice(0, size), shape, scale, wanted);
}

/** Every place of a memory once in random order, then again in another: draws without replacement from a memory that may change. */
export interface Deck {
  left: Uint32Array;
}

/** The next `count` places of a deck (Fujita 2025, arXiv:2503.02269); reshuffled when it is used up or the memory has grown past it. */
export function deal(deck: Deck, buffer: Buffer, count: number, rng: Rng): Uint32Array {
  const wanted = Math.min(count, buffer.size);
  const out = new Uint32Array(wanted);
  for (let i = 0; i < wanted; i++) {
    if (deck.left.length === 0) deck.left = rng.permutation(buffer.size);
    out[i] = deck.left[deck.left.length - 1]!;
    deck.left = deck.left.subarray(0, deck.left.length - 1);
  }
  return out;
}
