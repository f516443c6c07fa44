/** What stands around a selective recurrence, in Mamba and Longhorn. */
import { nn, tf } from "../../engine/index.ts";
import type { Mode, Params } from "../model.ts";
import { factorsOf, type Mixing, unrolled } from "./mixing.ts";
import { product } from "./product.ts";
import { shortConv } from "./short-conv.ts";

/** What a place chooses, `[n, length, …]`: the channels, what the rate is made of, and what enters and leaves a channel's state. */
export interface Chosen {
  readonly u: tf.Tensor;
  readonly low: tf.Tensor;
  readonly into: tf.Tensor;
  readonly out: tf.Tensor;
}

function choices(u: tf.Tensor, state: number, params: Params, mode: Mode): Chosen {
  const chosen = product(u, params, "select", mode);
  const parts = tf.split(chosen, [chosen.shape[2]! - 2 * state, state, state], 2);
  const [low, into, out] = parts as [tf.Tensor, tf.Tensor, tf.Tensor];
  return { u, low, into, out };
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
  const [read, last] = recurrence(choices(u, state, params, mode), states?.[1] ?? null);
  const y = tf.add(read, tf.mul(u, params.skip as tf.Tensor));
  return [product(tf.mul(y, nn.silu(gate)), params, "out", mode), [window, last]];
}

/** The block as attention: `diag(silu(z)) (α + diag(skip)) diag(σ(conv)) M` over the first half, α being the recurrence and M the convolution. */
export function selectiveMixing(
  state: number,
  recurrence: (chosen: Chosen) => tf.Tensor,
  x: tf.Tensor,
  params: Params,
  mode: Mode,
): Mixing {
  const [values, gate] = tf.split(product(x, params, "in", mode), 2, 2) as [tf.Tensor, tf.Tensor];
  const shape = values.shape as [number, number, number];
  const { kernel, bias } = params.conv as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  const seen = shortConv(values, params.conv as Params, null, null)[0];
  const [active, open] = [tf.sigmoid(seen), nn.silu(gate)];
  const { low, into, out } = choices(nn.silu(seen), state, params, mode);
  const core = unrolled((u, [low, into, out]) => recurrence({ u, low: low!, into: into!, out: out! }), shape, [
    low,
    into,
    out,
  ]);
  const convolution = unrolled((u) => shortConv(u, { kernel }, null, null)[0], [1, shape[1], shape[2]], []);
  const skip = tf.mul(tf.eye(shape[1]), tf.reshape(params.skip as tf.Tensor, [1, shape[2], 1, 1]));
  const [to, from] = [factorsOf(open, "to"), factorsOf(active, "from")];
  const gated = tf.mul(tf.mul(to, tf.add(core, skip)), from);
  const flat = tf.mul(tf.reshape(bias, [1, shape[2], 1, 1]), tf.ones([shape[0], shape[2], shape[1], 1]));
  return {
    core,
    weights: tf.matMul(gated, tf.tile(convolution, [shape[0], 1, 1, 1])),
    values,
    rest: tf.transpose(tf.squeeze(tf.matMul(gated, flat), [3]), [0, 2, 1]),
    out: (mixed) => product(mixed, params, "out", mode),
  };
}
