/** A state carried along the places of a sequence. */
import { scan, tf } from "../../engine/index.ts";
import type { Mode, Params } from "../model.ts";

/** One place: the states before, what is given there, and the layer's parameters; the states after, of which the first is kept. */
export type Recurrence = (states: readonly tf.Tensor[], given: tf.Tensor, params: Params, mode: Mode) => tf.Tensor[];

/** What `recur` may be told. */
export interface RecurOptions {
  /** The longest sequence whose passes are written out in the program; longer ones are a loop in it. Default 4. */
  readonly writtenOut?: number;
  /** Whether it goes from the last place to the first. Default false. */
  readonly reverse?: boolean;
}

/**
 * The first state after each place: `[n, length, …]` to `[n, length, units]`, from `first` on.
 *
 * Where a strategy looks at the layer's products, the passes are written out whatever the length: it sees each of them.
 */
export function recur(
  step: Recurrence,
  first: readonly tf.Tensor[],
  given: tf.Tensor,
  params: Params,
  mode: Mode,
  { writtenOut = 4, reverse = false }: RecurOptions = {},
): tf.Tensor {
  const [n, length, width] = given.shape as [number, number, number];
  if (length > writtenOut && !mode.isTapped) {
    const along = [1, 0, 2];
    const [, all] = scan(
      (states: readonly tf.Tensor[], x: tf.Tensor, own: Params) => {
        const next = step(states, x, own, mode);
        return [next, next[0]!] as const;
      },
      first,
      tf.transpose(given, along),
      params,
      { reverse },
    );
    return tf.transpose(all, along);
  }
  let states = first;
  const all: tf.Tensor[] = new Array(length);
  for (let k = 0; k < length; k++) {
    const t = reverse ? length - 1 - k : k;
    states = step(states, tf.reshape(tf.slice(given, [0, t, 0], [n, 1, width]), [n, width]), params, mode);
    all[t] = states[0]!;
  }
  return tf.stack(all, 1);
}

/**
 * The first state after each place, from states that are handed on, and the states at the end; before a place where `keep`, `[n, length]`, is 0
 * they are 0 again. All passes are written out: it is meant for a few places at a time.
 */
export function recurOn(
  step: Recurrence,
  from: readonly tf.Tensor[],
  given: tf.Tensor,
  params: Params,
  mode: Mode,
  keep: tf.Tensor,
): readonly [tf.Tensor, readonly tf.Tensor[]] {
  const [n, length, width] = given.shape as [number, number, number];
  let states = from;
  const all = Array.from({ length }, (_, t) => {
    const goes = tf.slice(keep, [0, t], [n, 1]);
    const had = states.map((state) => tf.mul(state, goes));
    states = step(had, tf.reshape(tf.slice(given, [0, t, 0], [n, 1, width]), [n, width]), params, mode);
    return states[0]!;
  });
  return [tf.stack(all, 1), states];
}
