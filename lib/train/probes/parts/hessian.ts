/** Products with the Hessian of a loss, as numbers on the host. */
import {
  disposeTree,
  jit,
  leaves,
  scoped,
  sumTree,
  type Tree,
  tf,
  unflatten,
  valueAndGrad,
} from "../../../engine/index.ts";

/** A loss near some parameters, all numbers one after the other. */
export interface Near {
  readonly size: number;
  /** Of each tensor, where its numbers begin, and how many there are. */
  gradient(): Float64Array;
  /** The Hessian times a vector: exact, by a gradient of the gradient. */
  times(vector: ArrayLike<number>): Float64Array;
  /** The loss at the parameters moved by a vector. */
  at(vector: ArrayLike<number>): number;
  dispose(): void;
}

/** A scalar loss as a function of a tree of tensors. */
export type Loss<P> = (params: P) => tf.Tensor;

/** The loss near `params`; compiled once. */
export function near<P>(loss: Loss<P>, params: P): Near {
  const own = leaves<tf.Tensor>(params as Tree);
  const size = own.reduce((sum, t) => sum + t.size, 0);
  if (size === 0) throw new RangeError("curvature: parameters are required, got a tree without tensors");
  const treeOf = (vector: ArrayLike<number>): P => {
    let from = 0;
    const parts = own.map(({ shape, size: count }) => {
      const part = new Float32Array(count);
      for (let i = 0; i < count; i++) part[i] = vector[from + i]!;
      from += count;
      return tf.tensor(part, shape);
    });
    return unflatten<unknown, tf.Tensor>(params, parts) as P;
  };
  const slope = jit((at: P) => valueAndGrad(loss, at).grads, { name: "gradient" });
  const product = jit(
    (at: P, v: P) => {
      const along = (w: P): tf.Tensor =>
        sumTree((g, u) => tf.sum(tf.mul(g, u!)) as tf.Scalar, valueAndGrad(loss, w).grads as Tree, v as Tree);
      return valueAndGrad(along, at).grads;
    },
    { name: "hessian product" },
  );
  const moved = jit((at: P, v: P) => {
    const flat = leaves<tf.Tensor>(v as Tree);
    const next = leaves<tf.Tensor>(at as Tree).map((w, i) => tf.add(w, flat[i]!));
    return tf.reshape(loss(unflatten<unknown, tf.Tensor>(at, next) as P), []);
  });
  const read = (tree: P): Float64Array => {
    const out = new Float64Array(size);
    let from = 0;
    for (const leaf of leaves<tf.Tensor>(tree as Tree)) {
      out.set(leaf.dataSync(), from);
      from += leaf.size;
    }
    disposeTree(tree);
    return out;
  };
  return {
    size,
    gradient: () => read(slope(params)),
    times(vector) {
      const v = treeOf(vector);
      const out = read(product(params, v));
      disposeTree(v);
      return out;
    },
    at(vector) {
      const v = treeOf(vector);
      const value = scoped(() => moved(params, v).dataSync()[0]!);
      disposeTree(v);
      return value;
    },
    dispose() {
      for (const compiled of [slope, product, moved]) (compiled as { dispose?(): void }).dispose?.();
    },
  };
}

/** The sum of the products of two vectors' numbers. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
