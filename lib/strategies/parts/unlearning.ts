/** Training within a deletion request: what methods that unlearn by gradients share. */
import { type Examples, gather, joined, select } from "../../data/dataset.ts";
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
import { type Params, tape } from "../../models/model.ts";
import { crossEntropies, type Network, type Weights } from "../../models/network.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import type { Context, Passed } from "../strategy.ts";

/** What came before and is not to be forgotten, as one table; null where there is nothing. */
export function retainedOf({ stream, experience }: Context): Examples | null {
  const parts = Array.from({ length: experience }, (_, i) => stream.experience(i).train).filter(
    ({ length }) => length > 0,
  );
  return parts.length === 0 ? null : joined(parts);
}

/** *Traced.* A pass in evaluation mode. */
export function evaluatedBy(network: Network, statistics: Params, weights: Weights, x: tf.Tensor): Passed {
  const features = network.features(weights, x, tape(false, null, statistics).mode);
  return { features, logits: network.logits(weights, features) };
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

/** How weights are trained within a request. */
export interface Descent {
  readonly lr: number;
  readonly batch: number;
  readonly epochs: number;
}

/**
 * Weights after some passes over a table by Adam, of the loss that is given or else the cross-entropy over all columns. The weights that were
 * given stay; running statistics are used as they are. The caller owns the result.
 */
export function descended(
  name: string,
  { network, statistics }: Context,
  from: Weights,
  table: Examples,
  { lr, batch, epochs }: Descent,
  rng: Rng,
  loss: (passed: Passed, y: tf.Tensor, x: tf.Tensor) => tf.Scalar = ({ logits }, y) =>
    tf.mean(crossEntropies(logits, y)) as tf.Scalar,
): Weights {
  const optimizer = adam({ lr });
  type Now = { weights: Weights; state: Tree };
  const step = jit(
    ({ weights, state }: Now, x: tf.Tensor, y: tf.Tensor): Now => {
      const { grads } = valueAndGrad((at: Weights) => loss(evaluatedBy(network, statistics, at, x), y, x), weights);
      const [moves, next] = optimizer.update(
        grads as unknown as Tree,
        state,
        weights as unknown as Tree,
        tf.scalar(lr),
      );
      return { weights: mapTensors((w, move) => tf.add(w, move!), weights, moves as unknown as Weights), state: next };
    },
    { name, donate: [0] },
  );
  let now: Now = { weights: cloneTree(from), state: scoped(() => optimizer.init(from as unknown as Tree)) };
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = rng.at(epoch).permutation(table.length);
    for (let start = 0; start < order.length; start += batch) {
      const { x, y } = rowsAt(table, order.subarray(start, start + batch));
      now = step(now, x, y);
      disposeTree([x, y]);
    }
  }
  disposeTree(now.state);
  return now.weights;
}

/** Some rows of a table, drawn without replacement; all where there are no more. */
export function drawn(table: Examples, count: number, rng: Rng): Examples {
  return table.length <= count ? table : select(table, rng.sample(table.length, count));
}
