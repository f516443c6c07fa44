/** Trees of tensors: nested arrays and objects whose leaves are tensors, as parameters, gradients and optimizer states are. */
import * as tf from "@tensorflow/tfjs-core";

/** A tensor, or an array or object of trees. */
export type Tree<T = tf.Tensor> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };

/** The same tree with every leaf of type `A` replaced by one of type `B`. */
export type MapTree<X, A, B> = X extends A
  ? B
  : X extends readonly unknown[]
    ? { [K in keyof X]: MapTree<X[K], A, B> }
    : X extends object
      ? { [K in keyof X]: MapTree<X[K], A, B> }
      : X;

/** Whether a node of a tree is a leaf: anything but a plain array or object. */
export function isLeaf(node: unknown): boolean {
  if (node === null || typeof node !== "object") return true;
  if (Array.isArray(node)) return false;
  const proto = Object.getPrototypeOf(node);
  return proto !== Object.prototype && proto !== null;
}

/** Lists the leaves of a tree in order (arrays by index, objects by insertion order). */
export function leaves<T = tf.Tensor>(tree: unknown): T[] {
  const out: T[] = [];
  collect(tree, out);
  return out;
}

function collect<T>(node: unknown, out: T[]): void {
  if (isLeaf(node)) {
    if (node !== null && node !== undefined) out.push(node as T);
  } else if (Array.isArray(node)) for (const child of node) collect(child, out);
  else for (const key in node as object) collect((node as Record<string, unknown>)[key], out);
}

/** Lists `[path, leaf]` for every leaf; a path joins keys with "/". */
export function paths<T = tf.Tensor>(tree: Tree<T>, prefix = ""): [path: string, leaf: T][] {
  if (isLeaf(tree)) return tree === null || tree === undefined ? [] : [[prefix, tree as T]];
  const entries = Array.isArray(tree) ? tree.map((v, i) => [String(i), v] as const) : Object.entries(tree as object);
  return entries.flatMap(([key, child]) => paths<T>(child as Tree<T>, prefix === "" ? key : `${prefix}/${key}`));
}

/**
 * Applies a function leaf by leaf; further trees must have the same shape and give the further arguments.
 *
 * @example
 * ```ts
 * import { mapTree } from "thalweg";
 * mapTree((a: number, b: number) => a + b, { w: 1, b: [2, 3] }, { w: 10, b: [20, 30] }); // { w: 11, b: [22, 33] }
 * ```
 */
export function mapTree<A, B, X>(fn: (leaf: A, ...more: A[]) => B, tree: X, ...more: X[]): MapTree<X, A, B> {
  return walk(fn as (...leaf: unknown[]) => unknown, tree, more, "") as MapTree<X, A, B>;
}

/** Applies a function from tensors to a tensor leaf by leaf; the result has the type of the tree. */
export function mapTensors<X>(fn: (leaf: tf.Tensor, ...more: tf.Tensor[]) => tf.Tensor, tree: X, ...more: X[]): X {
  return walk(fn as (...leaf: unknown[]) => unknown, tree, more, "") as X;
}

function walk(fn: (...leaf: unknown[]) => unknown, node: unknown, more: unknown[], path: string): unknown {
  if (isLeaf(node)) return node === null || node === undefined ? node : fn(node, ...more);
  for (const other of more) {
    if (isLeaf(other))
      throw new TypeError(`mapTree: trees of one shape are required, got a leaf at "${path}" of a later tree`);
  }
  if (Array.isArray(node)) {
    return node.map((child, i) =>
      walk(
        fn,
        child,
        more.map((m) => (m as unknown[])[i]),
        `${path}/${i}`,
      ),
    );
  }
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(node as object)) {
    out[key] = walk(
      fn,
      (node as Record<string, unknown>)[key],
      more.map((m) => {
        if (!(key in (m as object)))
          throw new TypeError(`mapTree: trees of one shape are required, a later tree lacks "${path}/${key}"`);
        return (m as Record<string, unknown>)[key];
      }),
      `${path}/${key}`,
    );
  }
  return out;
}

/** Rebuilds a tree of the shape of `like` from a list of leaves in the order of `leaves(like)`. */
export function unflatten<X, B>(like: X, flat: readonly B[]): MapTree<X, tf.Tensor, B> {
  let next = 0;
  return mapTree<tf.Tensor, B, X>(() => flat[next++] as B, like);
}

/** Frees every tensor of a tree but those that `kept`, where it is given, has too. */
export function disposeTree(tree: unknown, kept?: unknown): void {
  const still = new Set(kept === undefined ? [] : leaves<unknown>(kept as Tree<unknown>));
  for (const leaf of leaves<unknown>(tree as Tree<unknown>))
    if (leaf instanceof tf.Tensor && !leaf.isDisposed && !still.has(leaf)) leaf.dispose();
}

/** Runs a function and frees every tensor it made but those in the tree it returns: `tf.tidy` for trees of any type. */
export function scoped<X>(fn: () => X): X {
  return tf.tidy(() => fn() as unknown as tf.TensorContainer) as X;
}

/** Copies every tensor of a tree (cheap: the values are shared, never written in place). */
export function cloneTree<X>(tree: X): X {
  return mapTree((leaf: unknown) => (leaf instanceof tf.Tensor ? leaf.clone() : leaf), tree) as X;
}

/** Adds up a scalar function of each leaf, for example the squared norm of a tree of gradients. */
export function sumTree<X>(fn: (leaf: tf.Tensor, ...more: tf.Tensor[]) => tf.Scalar, tree: X, ...more: X[]): tf.Scalar {
  const terms = leaves<tf.Scalar>(mapTree(fn, tree, ...more) as Tree<tf.Scalar>);
  return terms.length === 0 ? tf.scalar(0) : terms.length === 1 ? (terms[0] as tf.Scalar) : tf.addN(terms);
}
