/** Puts tensors of a file into a network by name, and says what became of each. */
import { mapTree, paths, tf } from "../../engine/index.ts";
import type { ForeignName } from "./foreign-names.ts";
import type { HostArray } from "./host.ts";

/** What became of a tensor. */
export interface Placed {
  /** Its path in the network; null where the network has none for it. */
  readonly tensor: string | null;
  /** Its name in the file; null where the file has none for it. */
  readonly name: string | null;
  readonly outcome: "matched" | "missing" | "unexpected" | "shape differs";
  /** The shape that the network asks for, and the one that the file has once its axes are turned. */
  readonly wanted: readonly number[] | null;
  readonly got: readonly number[] | null;
}

/** What was placed: trees like the network's own, and a row for each tensor of the network or of the file. */
export interface Placement<T> {
  readonly tree: T;
  readonly rows: readonly Placed[];
}

/**
 * The tree with the numbers of the file where the names say that they belong, and its own, cloned, elsewhere. Without names a tensor goes
 * where its own name says: "model.1-conv.kernel" or "model/1-conv/kernel", with or without "weights" before it.
 */
export function placedWeights<T extends object>(
  tree: T,
  file: ReadonlyMap<string, HostArray>,
  names: readonly ForeignName[] | undefined,
): Placement<T> {
  const wanted = new Map(paths(tree as never) as [string, tf.Tensor][]);
  const used = new Set<string>();
  const found = new Map<string, { readonly name: string; readonly tensor: tf.Tensor }>();
  for (const each of names ?? ownNames(file.keys())) {
    const array = file.get(each.from);
    if (array === undefined || !wanted.has(each.to)) continue;
    used.add(each.from);
    found.get(each.to)?.tensor.dispose();
    found.set(each.to, { name: each.from, tensor: laid(array, each, wanted.get(each.to)!.shape) });
  }
  const fits = (path: string): boolean => String(found.get(path)?.tensor.shape) === String(wanted.get(path)!.shape);
  const rows: Placed[] = [...wanted].map(([path, { shape }]) => {
    const from = found.get(path);
    const outcome = from === undefined ? "missing" : fits(path) ? "matched" : "shape differs";
    return { tensor: path, name: from?.name ?? null, outcome, wanted: shape, got: from?.tensor.shape ?? null };
  });
  const rest = [...file].flatMap(([name, { shape }]): Placed[] =>
    used.has(name) ? [] : [{ tensor: null, name, outcome: "unexpected", wanted: null, got: shape }],
  );
  const order = [...wanted.keys()];
  let next = 0;
  const made = mapTree<tf.Tensor, tf.Tensor, T>((own) => {
    const path = order[next++]!;
    return found.has(path) && fits(path) ? found.get(path)!.tensor.clone() : own.clone();
  }, tree) as T;
  for (const { tensor } of found.values()) tensor.dispose();
  return { tree: made, rows: [...rows, ...rest] };
}

/** Names that say themselves where they belong. */
function ownNames(names: Iterable<string>): ForeignName[] {
  return [...names].map((from) => ({ from, to: from.replace(/^weights[./]/, "").replaceAll(".", "/") }));
}

/** A tensor of the file as the network has it: its axes turned, and neighbours among them joined where the network has one for them. */
function laid({ data, shape, dtype }: HostArray, { cut, turn }: ForeignName, wanted: readonly number[]): tf.Tensor {
  return tf.tidy(() => {
    let now: tf.Tensor = tf.tensor(data, [...shape], dtype);
    if (cut !== undefined && now.shape.at(-1)! % cut.of === 0) now = tf.split(now, cut.of, -1)[cut.part]!;
    if (turn !== undefined && turn.length === now.rank) now = tf.transpose(now, [...turn]);
    return isJoined(now.shape, wanted) ? tf.reshape(now, [...wanted]) : now;
  });
}

/** Whether a shape is another with neighbouring axes joined, or axes of length 1 put in or left out: the numbers stay in their order. */
function isJoined(from: readonly number[], to: readonly number[]): boolean {
  const ends = (shape: readonly number[]): number[] => {
    let size = 1;
    return [1, ...shape.map((side) => (size *= side))];
  };
  const had = ends(from);
  return had.at(-1) === ends(to).at(-1) && ends(to).every((end) => had.includes(end));
}
