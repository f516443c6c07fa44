/** Where a network that can be left after any of its blocks is left, learned. */
import { tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { crossEntropies, masked } from "../../models/network.ts";

/** What chooses the exit: the first block alone, or each block whether it is the last. */
export type Halting = "multinomial" | "geometric";

/** Linear layers at `halt0`, `halt1`, … */
export interface HaltingParams {
  readonly [part: string]: Params;
}

/** What a linear layer says of features `[…, width]`: `[…, units]`. */
function linear(x: tf.Tensor, { kernel, bias }: Params): tf.Tensor {
  const [width, units] = (kernel as tf.Tensor2D).shape;
  const rows = tf.matMul(tf.reshape(x, [-1, width]), kernel as tf.Tensor2D);
  return tf.add(tf.reshape(rows, [...x.shape.slice(0, -1), units]), bias as tf.Tensor);
}

/** The logarithms of the probabilities that it stops after each block, `[…, exits]`. */
export function haltingOf(how: Halting, features: readonly tf.Tensor[], own: HaltingParams): tf.Tensor {
  if (how === "multinomial") return tf.logSoftmax(linear(features[0]!, own.halt0!));
  let before: tf.Tensor | null = null;
  const all = features.slice(0, -1).map((given, n) => {
    const said = linear(given, own[`halt${n}`]!);
    const stops = tf.neg(tf.softplus(tf.neg(said)));
    const here = before === null ? stops : tf.add(before, stops);
    before = tf.sub(before ?? tf.zerosLike(said), tf.softplus(said));
    return here;
  });
  return tf.concat([...all, before!], -1);
}

/** After which block it stops, from 0, at each place. */
export function haltsAt(how: Halting, features: readonly tf.Tensor[], own: HaltingParams): tf.Tensor {
  if (how === "multinomial") return tf.argMax(linear(features[0]!, own.halt0!), -1);
  const last = features.length - 1;
  let at: tf.Tensor = tf.fill(features[0]!.shape.slice(0, -1), last);
  for (let n = last - 1; n >= 0; n--) {
    const stops = tf.cast(tf.greaterEqual(tf.squeeze(linear(features[n]!, own[`halt${n}`]!), [-1]), 0), "float32");
    at = tf.add(tf.mul(stops, n), tf.mul(tf.sub(1, stops), at));
  }
  return tf.cast(at, "int32");
}

/** The logits of the exit that is chosen at each place. */
export function chosen(exits: readonly tf.Tensor[], at: tf.Tensor): tf.Tensor {
  const shares = tf.split(tf.oneHot(at as tf.Tensor1D, exits.length, 1, 0, "float32"), exits.length, -1);
  return tf.addN(exits.map((logits, n) => tf.mul(logits, shares[n]!)));
}

/**
 * The exit, from 0, at each place, whose log-likelihood of what is asked for, less `price` for each block, is largest. Places where nothing is asked for say nothing to those near them.
 */
export function oracle(
  exits: readonly tf.Tensor[],
  wanted: tf.Tensor,
  asked: tf.Tensor,
  mask: tf.Tensor | null,
  price: number,
  near: number,
): tf.Tensor {
  const columns = exits[0]!.shape.at(-1)!;
  const y = tf.cast(tf.reshape(tf.maximum(wanted, 0), [-1]), "int32");
  const costs = exits.map((logits, n) => {
    const open = mask === null ? logits : masked(logits, logits.rank === 3 ? tf.expandDims(mask, 1) : mask);
    const each = tf.mul(tf.reshape(crossEntropies(tf.reshape(open, [-1, columns]), y), wanted.shape), asked);
    const smooth =
      near > 0 && wanted.rank === 2 ? tf.matMul(each as tf.Tensor2D, nearness(wanted.shape[1]!, near)) : each;
    return tf.add(smooth, price * (n + 1));
  });
  return tf.argMin(tf.stack(costs, -1), -1);
}

/** `exp(−|t − t′| / near)` of all pairs of places. */
function nearness(places: number, near: number): tf.Tensor2D {
  const all = [...Array(places).keys()];
  return tf.tensor2d(
    all.map((t) => all.map((other) => Math.exp(-Math.abs(t - other) / near))),
    [places, places],
  );
}
