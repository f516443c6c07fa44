/** Deletion requests as a run serves them. */
import { type Examples, joined, select } from "../../data/dataset.ts";
import { withoutClasses } from "../../strategies/parts/forgetting.ts";
import type { Context, Request, State, Strategy } from "../../strategies/strategy.ts";
import type { Stream } from "../../streams/stream.ts";

/** The state of a strategy after a deletion request. */
export function served({ hooks }: Strategy, state: State, request: Request, context: Context): State {
  return hooks.forget?.(state, request, context) ?? withoutClasses(state, request);
}

/** A request to forget some columns, when the experience at a position arrives; `all` are those forgotten by then. */
export function requestOf(stream: Stream, all: ReadonlySet<number>, now: readonly number[], before: number): Request {
  const columns = new Set(now);
  const found = (): Request["experiences"] =>
    Array.from({ length: before }, (_, index) => {
      const { train, task } = stream.experience(index);
      return { index, task, examples: rows(train, (label) => columns.has(label)) };
    }).filter(({ examples }) => examples.length > 0);
  let experiences: Request["experiences"] | undefined;
  const getters = {
    experiences: { get: () => (experiences ??= found()) },
    examples: {
      get: (): Examples =>
        joinedOr(
          request.experiences.map(({ examples }) => examples),
          stream,
        ),
    },
  };
  const request = Object.defineProperties(Object.assign(new Set(all), { columns }), getters) as unknown as Request;
  return request;
}

function joinedOr(parts: readonly Examples[], stream: Stream): Examples {
  return parts.length > 0 ? joined(parts) : select(stream.experience(0).train, new Uint32Array(0));
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
