/** Memories that are filled when an experience ends: a share for each. */
import { type Examples, sizeOf } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Context } from "../strategy.ts";
import { asked, type Buffer, emptyBuffer, type Keep, placeFor } from "./buffer.ts";

/** Offers every example of a table to a memory, in random order; gives the place each row of the table went to, or −1. */
export function offerTable(buffer: Buffer, examples: Examples, task: number, keep: Keep, rng: Rng): Int32Array {
  const places = new Int32Array(examples.length).fill(-1);
  const size = sizeOf(buffer.shape);
  const holder = new Map<number, number>();
  for (const row of rng.permutation(examples.length)) {
    if (examples.targets === undefined && examples.labels[row]! < 0) continue; // an example without a label has nothing to be replayed with
    const place = placeFor(buffer, examples.labels[row]!, keep, rng);
    if (place < 0) continue;
    const before = holder.get(place);
    if (before !== undefined) places[before] = -1;
    holder.set(place, row);
    places[row] = place;
    buffer.labels[place] = examples.labels[row]!;
    buffer.tasks[place] = task;
  }
  const { targets, width } = asked(buffer);
  for (const [place, row] of holder) {
    examples.read([row], buffer.rows, place * size);
    examples.targets?.read([row], targets, place * width);
  }
  return places;
}

/** A memory in which each past experience has the same share: places `starts[e]` up to `starts[e + 1]` are those of the e-th. */
export interface Episodes {
  readonly buffer: Buffer;
  /** One more than there are experiences; the last is the number of places in use. */
  readonly starts: readonly number[];
}

/** Throws before any training when a memory is too small to hold an example of each experience of a stream whose length is told. */
export function requireShares(where: string, capacity: number, stream: Stream): void {
  if (!stream.facts.includes("length") || !Number.isFinite(stream.length) || capacity >= stream.length) return;
  throw new RangeError(
    `${where}: capacity must be at least 1 for each of the stream's ${stream.length} experiences, got ${capacity}; raise it`,
  );
}

/**
 * The memory with a share of an experience's examples, drawn without replacement. The share is the capacity divided by the length of the
 * stream; where that is unknown, or where `among` says so, by the experiences so far, and earlier experiences give up a part of theirs
 * (the oldest all of it, once there are more than places). Also gives the rows of the table that are kept.
 */
export function withEpisode(
  episodes: Episodes | null,
  capacity: number,
  examples: Examples,
  task: number,
  { stream, experience, rng }: Pick<Context, "stream" | "experience" | "rng">,
  among: "stream" | "so far" = "stream",
): { readonly episodes: Episodes; readonly kept: Uint32Array; readonly from: readonly number[] } {
  const { buffer, starts } = episodes ?? { buffer: emptyBuffer(capacity, examples), starts: [0] };
  const known = among === "stream" && stream.facts.includes("length") && Number.isFinite(stream.length);
  const share = Math.max(1, Math.floor(capacity / (known ? stream.length : starts.length)));
  const oldest = Math.max(0, starts.length - capacity);
  const size = sizeOf(buffer.shape);
  const labelled = Uint32Array.from(
    [...examples.labels.keys()].filter((i) => examples.targets !== undefined || examples.labels[i]! >= 0),
  );
  const drawn = rng.at("episode", experience).sample(labelled.length, Math.min(share, labelled.length));
  const kept = drawn.map((i) => labelled[i]!);
  const next: Buffer = { ...emptyBuffer(capacity, examples), size: 0, seen: buffer.seen + examples.length };
  const { targets, width } = asked(next);
  const ends = [0];
  const from: number[] = [];
  for (let e = 0; e + 1 < starts.length; e++) {
    const own = e < oldest ? 0 : share;
    for (let place = starts[e]!; place < Math.min(starts[e + 1]!, starts[e]! + own); place++) {
      next.rows.set(buffer.rows.subarray(place * size, (place + 1) * size), next.size * size);
      targets.set(asked(buffer).targets.subarray(place * width, (place + 1) * width), next.size * width);
      next.labels[next.size] = buffer.labels[place]!;
      next.tasks[next.size] = buffer.tasks[place]!;
      from.push(place);
      next.size++;
    }
    ends.push(next.size);
  }
  examples.read(kept, next.rows, next.size * size);
  examples.targets?.read(kept, targets, next.size * width);
  for (const row of kept) {
    next.labels[next.size] = examples.labels[row]!;
    next.tasks[next.size] = task;
    next.size++;
  }
  ends.push(next.size);
  return { episodes: { buffer: next, starts: ends }, kept, from };
}
