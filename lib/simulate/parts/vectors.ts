/** Trees of tensors as one vector on the host: what goes over a line. */
import { leaves, tf, unflatten } from "../../engine/index.ts";

/** The numbers of a tree's tensors, one after the other. */
export function vectorOf(tree: unknown): Float32Array {
  const parts = leaves(tree).map((leaf) => leaf.dataSync());
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** How many numbers a tree has. */
export function countOf(tree: unknown): number {
  return leaves(tree).reduce((sum, leaf) => sum + leaf.size, 0);
}

/** New tensors of the shapes of a tree from the numbers of a vector, from a place on. */
export function treeOf<X>(like: X, vector: Float32Array, from = 0): X {
  let at = from;
  const made = leaves(like).map((leaf) => {
    const part = vector.slice(at, at + leaf.size);
    at += leaf.size;
    return tf.tensor(part, leaf.shape, leaf.dtype as "float32");
  });
  return unflatten(like, made as tf.Tensor[]) as unknown as X;
}

/** `a + scale · b`, in place. */
export function addTo(a: Float32Array, b: Float32Array, scale = 1): Float32Array {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! + scale * b[i]!;
  return a;
}

/** `a − b`. */
export function minus(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((x, i) => x - b[i]!);
}

/** `Σ shareᵢ · vectorᵢ`. */
export function weighted(vectors: readonly Float32Array[], shares: readonly number[]): Float32Array {
  if (vectors.length === 1 && shares[0] === 1) return vectors[0]!.slice();
  const out = new Float32Array(vectors[0]!.length);
  for (const [k, vector] of vectors.entries()) addTo(out, vector, shares[k]!);
  return out;
}

/** The mean of vectors. */
export function meanOf(vectors: readonly Float32Array[]): Float32Array {
  return weighted(
    vectors,
    vectors.map(() => 1 / vectors.length),
  );
}

/** `Σ aᵢ²`, in double precision. */
export function squared(a: Float32Array): number {
  let sum = 0;
  for (const x of a) sum += x * x;
  return sum;
}
