/** Binary values of a widget's state travel beside the JSON: where each was is told by a path (Jupyter's widget protocol, version 2). */

export type State = Record<string, unknown>;
export type Path = (string | number)[];

export interface Split {
  /** The state without its binary values: a key is gone, a place in a list holds null. */
  state: State;
  paths: Path[];
  buffers: Uint8Array[];
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

const isPlain = (value: unknown): value is State =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** Takes the binary values (ArrayBuffer, typed arrays, DataView) out of a state; what holds none is not copied. */
export function splitBuffers(state: State): Split {
  const paths: Path[] = [];
  const buffers: Uint8Array[] = [];
  const gone = Symbol();
  function take(value: unknown, path: Path): unknown {
    const bytes = bytesOf(value);
    if (bytes) {
      paths.push(path);
      buffers.push(bytes);
      return gone;
    }
    if (Array.isArray(value)) {
      const items = value.map((item, i) => take(item, [...path, i]));
      return items.every((item, i) => item === value[i]) ? value : items.map((item) => (item === gone ? null : item));
    }
    if (!isPlain(value)) return value;
    const entries = Object.entries(value).map(([key, item]) => [key, take(item, [...path, key])] as const);
    if (entries.every(([key, item]) => item === value[key])) return value;
    return Object.fromEntries(entries.filter(([, item]) => item !== gone));
  }
  return { state: take(state, []) as State, paths, buffers };
}

/** Puts buffers back to where the paths say; `state` is changed. Paths that lead nowhere are ignored. */
export function joinBuffers(state: State, paths: readonly Path[], buffers: readonly unknown[]): State {
  for (const [i, path] of paths.entries()) {
    let at: unknown = state;
    for (const key of path.slice(0, -1))
      at = typeof at === "object" && at !== null && Object.hasOwn(at, key) ? (at as State)[key] : undefined;
    const last = path.at(-1);
    if (typeof at === "object" && at !== null && last !== undefined && last !== "__proto__")
      (at as State)[last] = buffers[i];
  }
  return state;
}
