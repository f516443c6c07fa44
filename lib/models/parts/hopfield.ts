/** Retrieval from a continuous Hopfield network. */
import { needWhole } from "../../data/options.ts";
import { nn, type Rng, tf } from "../../engine/index.ts";
import { requireCount } from "../layer.ts";
import type { Mode, Params } from "../model.ts";
import { product, productParams } from "./product.ts";

/** What layers that retrieve can be told. */
export interface HopfieldOptions {
  /** How often states are updated. Default 1, which is attention. */
  readonly steps?: number;
  /** The inverse temperature: large ones retrieve single patterns, small ones means of all. Default 1 / √d, d being the width of a head. */
  readonly beta?: number;
}

/**
 * States `[…, t, d]` after `steps` updates `ξ ← X softmax(β Xᵀ ξ)` with stored patterns `[…, s, d]`, the last of which gives `values` in their place.
 *
 * Ramsauer et al. 2021, arXiv:2008.02217, equations 3 and 10.
 */
export function retrieved(
  states: tf.Tensor,
  patterns: tf.Tensor,
  values: tf.Tensor,
  { steps = 1, beta }: HopfieldOptions = {},
): tf.Tensor {
  const d = states.shape.at(-1)!;
  // attention divides by the root of d
  const by = (beta ?? 1 / Math.sqrt(d)) * Math.sqrt(d);
  let now = states;
  for (let k = 1; k <= steps; k++) now = nn.attention(tf.mul(now, by), patterns, k === steps ? values : patterns);
  return now;
}

/** `−lse(β, Xᵀ ξ) + ½ ξᵀξ + ln(N)/β + ½ M²`, which an update never raises, for states `[t, d]`: `[t]`. Ramsauer et al. 2021, equation 2. */
export function hopfieldEnergy(states: tf.Tensor2D, patterns: tf.Tensor2D, beta: number): tf.Tensor {
  const scores = tf.matMul(states, patterns, false, true);
  const least = tf.div(tf.logSumExp(tf.mul(scores, beta), 1), beta);
  const squares = (x: tf.Tensor): tf.Tensor => tf.mul(tf.sum(tf.square(x), 1), 0.5);
  return tf.add(tf.sub(squares(states), least), tf.add(Math.log(patterns.shape[0]) / beta, tf.max(squares(patterns))));
}

/** Association of heads as layers share it: the projections of states, stored patterns and values, and of what comes out. */
export interface Associating {
  readonly said: { readonly steps?: number; readonly beta?: number };
  init(rng: Rng, units: number): Params;
  /** `[n, t, units]` of states `[n, t, units]` and stored patterns `[n, s, units]`. */
  associate(states: tf.Tensor, stored: tf.Tensor, params: Params, mode: Mode): tf.Tensor;
}

/** Retrieval by `heads` heads in the name of a layer. */
export function associating(where: string, heads: number, { steps = 1, beta }: HopfieldOptions): Associating {
  requireCount(where, "heads", heads);
  needWhole(where, "steps", steps);
  if (beta !== undefined && !(beta > 0 && Number.isFinite(beta)))
    throw new RangeError(`${where}: a beta above 0 is required, got ${beta}`);
  return {
    said: { ...(steps !== 1 && { steps }), ...(beta !== undefined && { beta }) },
    init: (rng, units) =>
      Object.fromEntries(
        ["query", "key", "value", "out"].map((part) => [part, productParams(rng.at(part), units, units)]),
      ),
    associate(states, stored, params, mode) {
      const [n, places, units] = states.shape as [number, number, number];
      const split = (x: tf.Tensor): tf.Tensor =>
        tf.transpose(tf.reshape(x, [n, x.shape[1]!, heads, units / heads]), [0, 2, 1, 3]);
      const own = retrieved(
        split(product(states, params, "query", mode)),
        split(product(stored, params, "key", mode)),
        split(product(stored, params, "value", mode)),
        { steps, ...(beta !== undefined && { beta }) },
      );
      return product(tf.reshape(tf.transpose(own, [0, 2, 1, 3]), [n, places, units]), params, "out", mode);
    },
  };
}

/** Throws unless it is a sequence whose width the heads divide. */
export function requireHeads(where: string, heads: number, input: readonly number[]): void {
  if (input.length !== 2 || input[1]! % heads !== 0)
    throw new RangeError(
      `${where}: a sequence whose width is a multiple of ${heads} heads is required, got shape [${input}]; put embedding(tokens, units) or dense(units) before it`,
    );
}
