/** What stands around a selective recurrence, in Mamba and Longhorn. */
import { nn, tf } from "../../engine/index.ts";
import type { Mode, Params } from "../model.ts";
import { product } from "./product.ts";
import { shortConv } from "./short-conv.ts";

/** What a place chooses, `[n, length, …]`: the channels, what the rate is made of, and what enters and leaves a channel's state. */
export interface Chosen {
  readonly u: tf.Tensor;
  readonly low: tf.Tensor;
  readonly into: tf.Tensor;
  readonly out: tf.Tensor;
}

/**
 * One product gives two halves. The first is convolved and bent; of it is made what each place chooses, with which `recurrence` gives what is read and the last state
 * from the one before. With `skip` times the channels added, and gated by the second half, it goes through the last product. The states are the window of the
 * convolution and that of the recurrence, of `state` numbers for each channel.
 */
export function selectiveBlock(
  state: number,
  recurrence: (chosen: Chosen, before: tf.Tensor | null) => readonly [read: tf.Tensor, last: tf.Tensor],
  x: tf.Tensor,
  params: Params,
  mode: Mode,
  states: readonly tf.Tensor[] | null,
  keep: tf.Tensor | null,
): readonly [tf.Tensor, readonly tf.Tensor[]] {
  const [given, gate] = tf.split(product(x, params, "in", mode), 2, 2) as [tf.Tensor, tf.Tensor];
  const [seen, window] = shortConv(given, params.conv as Params, states?.[0] ?? null, keep);
  const u = nn.silu(seen);
  const chosen = product(u, params, "select", mode);
  const parts = tf.split(chosen, [chosen.shape[2]! - 2 * state, state, state], 2);
  const [low, into, out] = parts as [tf.Tensor, tf.Tensor, tf.Tensor];
  const [read, last] = recurrence({ u, low, into, out }, states?.[1] ?? null);
  const y = tf.add(read, tf.mul(u, params.skip as tf.Tensor));
  return [product(tf.mul(y, nn.silu(gate)), params, "out", mode), [window, last]];
}
