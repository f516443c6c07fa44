/** Gradient descent within a hook of the host: what methods that train parts of their own share. */
import { type Examples, gather } from "../../data/dataset.ts";
import {
  cloneTree,
  disposeTree,
  jit,
  mapTensors,
  type Rng,
  scoped,
  type Tree,
  tf,
  valueAndGrad,
} from "../../engine/index.ts";
import { adam } from "../../optim/optimizers/adam.ts";

/** How long and how fast is trained. */
export interface Descent {
  readonly lr: number;
  readonly batch: number;
  readonly epochs: number;
}

/** Rows of a table as tensors. The caller owns them. */
export function rowsAt(table: Examples, at: Uint32Array): { readonly x: tf.Tensor; readonly y: tf.Tensor } {
  return {
    x: tf.tensor(gather(table, at), [at.length, ...table.shape]),
    y: tf.tensor1d(
      Int32Array.from(at, (i) => table.labels[i]!),
      "int32",
    ),
  };
}

/** Trains a tree of tensors on a table, other tensors being as they are. */
export type Trainer<T, C> = (from: T, beside: C, table: Examples, how: Omit<Descent, "lr">, rng: Rng) => T;

/**
 * Compiles descent by Adam, for many trees of one form: `loss` is traced, and is given what stands beside the tree and noise of its own for
 * every step. The tree that is trained from stays; the caller owns what comes of it.
 */
export function descending<T, C>(
  name: string,
  lr: number,
  loss: (at: T, beside: C, x: tf.Tensor, y: tf.Tensor, noise: Rng) => tf.Scalar,
): Trainer<T, C> {
  const optimizer = adam({ lr });
  type Now = { at: T; state: Tree };
  const step = jit(
    ({ at, state }: Now, beside: C, x: tf.Tensor, y: tf.Tensor, noise: Rng): Now => {
      const { grads } = valueAndGrad((now: T) => loss(now, beside, x, y, noise), at);
      const [moves, next] = optimizer.update(grads as unknown as Tree, state, at as unknown as Tree, tf.scalar(lr));
      return { at: mapTensors((w, move) => tf.add(w, move!), at, moves as unknown as T), state: next };
    },
    { name, donate: [0] },
  );
  return (from, beside, table, { batch, epochs }, rng) => {
    let now: Now = { at: cloneTree(from), state: scoped(() => optimizer.init(from as unknown as Tree)) };
    let taken = 0;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = rng.at(epoch).permutation(table.length);
      for (let start = 0; start < order.length; start += batch) {
        const { x, y } = rowsAt(table, order.subarray(start, start + batch));
        now = step(now, beside, x, y, rng.at("noise", taken++));
        disposeTree([x, y]);
      }
    }
    disposeTree(now.state);
    return now.at;
  };
}

/** The same for one tree; what stands beside it is in the loss. */
export function descent<T>(
  name: string,
  from: T,
  table: Examples,
  { lr, ...how }: Descent,
  rng: Rng,
  loss: (at: T, x: tf.Tensor, y: tf.Tensor, noise: Rng) => tf.Scalar,
): T {
  const train = descending<T, null>(name, lr, (at, _beside, x, y, noise) => loss(at, x, y, noise));
  return train(from, null, table, how, rng);
}
