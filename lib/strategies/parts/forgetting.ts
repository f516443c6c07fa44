/** Deletion requests: what strategies hold of some classes is dropped, not only passed over. */
import { sizeOf } from "../../data/dataset.ts";
import type { State } from "../strategy.ts";
import { asked, type Buffer } from "./buffer.ts";
import type { Episodes } from "./episodes.ts";
import type { Exemplars } from "./exemplars.ts";

/** Columns to forget. */
export type Forgotten = ReadonlySet<number>;

/**
 * Drops the examples of some classes from a memory, in place: the others move up in their order, and what becomes free is overwritten.
 * Gives for each place that is still filled the place it had before, so that what is kept beside the memory can be moved too.
 */
export function dropped(buffer: Buffer, classes: Forgotten): Uint32Array {
  const size = sizeOf(buffer.shape);
  const stay = Uint32Array.from(
    [...buffer.labels.subarray(0, buffer.size).keys()].filter((i) => !classes.has(buffer.labels[i]!)),
  );
  stay.forEach((from, to) => {
    buffer.rows.copyWithin(to * size, from * size, (from + 1) * size);
    buffer.labels[to] = buffer.labels[from]!;
    buffer.tasks[to] = buffer.tasks[from]!;
  });
  const { targets, width } = asked(buffer);
  moved(targets, width, stay);
  buffer.rows.fill(0, stay.length * size);
  buffer.labels.fill(0, stay.length);
  buffer.tasks.fill(0, stay.length);
  for (const label of classes) {
    buffer.seen -= buffer.offered.get(label) ?? 0;
    buffer.offered.delete(label);
  }
  buffer.size = stay.length;
  return stay;
}

/** Rows of `width` numbers kept beside a memory, moved as `dropped` says; what becomes free is 0. */
export function moved(values: Float32Array | Int32Array, width: number, stay: Uint32Array): void {
  stay.forEach((from, to) => {
    values.copyWithin(to * width, from * width, (from + 1) * width);
  });
  values.fill(0, stay.length * width);
}

/** A memory with a share for each experience without the examples of some classes, and where those that stay were. */
export function episodesWithout(
  { buffer, starts }: Episodes,
  classes: Forgotten,
): { readonly episodes: Episodes; readonly stay: Uint32Array } {
  const stay = dropped(buffer, classes);
  return { episodes: { buffer, starts: starts.map((start) => stay.filter((from) => from < start).length) }, stay };
}

/** Exemplars without those of some classes. */
export function exemplarsWithout(exemplars: Exemplars, classes: Forgotten): Exemplars {
  return { ...exemplars, classes: new Map([...exemplars.classes].filter(([label]) => !classes.has(label))) };
}

/**
 * The state of a strategy without the examples of some classes: its `buffer`, its `episodes`, its `exemplars`, where it has them. A
 * strategy that keeps numbers beside its memory, place by place, has a `forget` of its own.
 */
export function withoutClasses(state: State, classes: Forgotten): State {
  const { buffer, episodes, exemplars } = state as {
    readonly buffer?: Buffer | null;
    readonly episodes?: Episodes | null;
    readonly exemplars?: Exemplars | null;
  };
  if (buffer) dropped(buffer, classes);
  return {
    ...state,
    ...(episodes && { episodes: episodesWithout(episodes, classes).episodes }),
    ...(exemplars && { exemplars: exemplarsWithout(exemplars, classes) }),
  };
}
