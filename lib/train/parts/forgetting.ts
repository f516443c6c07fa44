/** Deletion requests as a run serves them. */
import { type Examples, select } from "../../data/dataset.ts";
import { withoutClasses } from "../../strategies/parts/forgetting.ts";
import type { Context, State, Strategy } from "../../strategies/strategy.ts";
import type { Stream } from "../../streams/stream.ts";

/** The state of a strategy after a deletion request. */
export function served({ hooks }: Strategy, state: State, columns: ReadonlySet<number>, context: Context): State {
  return hooks.forget?.(state, columns, context) ?? withoutClasses(state, columns);
}

/** A stream as strategies see it after deletion requests: no experience, however old, has an example of these columns to learn from. */
export function forgetful(stream: Stream, columns: ReadonlySet<number>): Stream {
  if (columns.size === 0) return stream;
  const experience: Stream["experience"] = (index) => {
    const e = stream.experience(index);
    return { ...e, train: rows(e.train, (label) => !columns.has(label)) };
  };
  return {
    ...stream,
    experience,
    countOf: (index) => experience(index).train.length,
    *[Symbol.iterator]() {
      for (let i = 0; i < stream.length; i++) yield experience(i);
    },
  };
}

/** The rows whose labels pass. */
export function rowsWhere(of: Examples, wanted: (label: number) => boolean): Uint32Array {
  return Uint32Array.from([...of.labels.keys()].filter((i) => wanted(of.labels[i]!)));
}

/** The examples whose labels pass. */
export function rows(of: Examples, wanted: (label: number) => boolean): Examples {
  const at = rowsWhere(of, wanted);
  return at.length === of.length ? of : select(of, at);
}
