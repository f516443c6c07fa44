/** Tasks of examples that come from many experiences at once. */
import type { Stream } from "../../streams/stream.ts";
import type { Batch, Context } from "../strategy.ts";

/** Which task owns each output column, for the experiences before `next`. */
interface Owners {
  readonly byColumn: Map<number, number>;
  next: number;
}

const known = new WeakMap<Stream, Owners>();

/** The task that owns each column met up to an experience, for a stream whose tasks have heads of their own. */
function ownersOf(stream: Stream, experience: number): ReadonlyMap<number, number> {
  const owners = known.get(stream) ?? { byColumn: new Map(), next: 0 };
  known.set(stream, owners);
  for (; owners.next <= experience; owners.next++) {
    const task = stream.taskOf(owners.next);
    for (const column of stream.classesOf(task)) owners.byColumn.set(column, task);
  }
  return owners.byColumn;
}

/** A `batch` hook for methods that train on a table of many experiences: with a head per task, a row's task is that of its column. */
export function tasksByColumn(_state: unknown, batch: Batch, { stream, experience }: Context): Batch {
  if (stream.head !== "multi") return batch;
  const owner = ownersOf(stream, experience);
  return { ...batch, task: Int32Array.from(batch.y, (column, i) => owner.get(column) ?? batch.task[i]!) };
}
