/** Training within a deletion request: what methods that unlearn by gradients share. */
import { type Examples, joined, select } from "../../data/dataset.ts";
import { paths, type Rng, type Tree, tf, unflatten } from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import { crossEntropies, type Network, type Weights } from "../../models/network.ts";
import type { Context, Passed } from "../strategy.ts";
import { type Descent, descent } from "./descent.ts";
import { still } from "./still.ts";

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

/**
 * Weights after some passes over a table by Adam, of the loss that is given or else the cross-entropy over all columns; what is frozen does not
 * move. The weights that were given stay; running statistics are used as they are. The caller owns the result.
 */
export function descended(
  name: string,
  { network, statistics }: Context,
  from: Weights,
  table: Examples,
  how: Descent,
  rng: Rng,
  loss: (passed: Passed, y: tf.Tensor, x: tf.Tensor) => tf.Scalar = ({ logits }, y) =>
    tf.mean(crossEntropies(logits, y)) as tf.Scalar,
): Weights {
  const learnt = (at: Weights): Weights => stillWhere(at, network.frozen);
  return descent(name, from, table, how, rng, (at, x, y) =>
    loss(evaluatedBy(network, statistics, learnt(at), x), y, x),
  );
}

/** *Traced.* Weights of which what is frozen is not learnt. */
function stillWhere(weights: Weights, frozen: Network["frozen"]): Weights {
  if (frozen === null) return weights;
  const next = paths(weights as Tree).map(([path, leaf]) => (frozen(path) ? still(leaf) : leaf));
  return unflatten(weights, next) as Weights;
}

/** Some rows of a table, drawn without replacement; all where there are no more. */
export function drawn(table: Examples, count: number, rng: Rng): Examples {
  return table.length <= count ? table : select(table, rng.sample(table.length, count));
}
