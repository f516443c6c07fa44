/** Steps as calls of their own: on other backends, under a tape, and on devices that take no loops. */
import * as tf from "@tensorflow/tfjs-core";
import { bound } from "../capi/device.ts";
import type { Compiled, Spent } from "../jit.ts";
import type { Rng } from "../random.ts";
import { disposeTree, mapTree } from "../tree.ts";
import { backend } from "./backend.ts";
import { detached, stacked } from "./detached.ts";

/** Runs the steps as calls of their own. */
export function oneByOne<S, X, Y, C extends readonly unknown[]>(
  one: (...args: [S, X, Rng | null, ...C]) => readonly [S, Y],
  count: number,
  first: S,
  xs: X,
  rngs: readonly Rng[] | null,
  constants: C,
  keep: boolean,
): [S, Y] {
  let state = first;
  const ys: Y[] = [];
  for (let k = 0; k < count; k++) {
    const x = detached(() => mapTree((leaf: tf.Tensor) => row(leaf, k), xs) as X);
    const [next, y] = one(state, x, rngs === null ? null : (rngs[k] ?? null), ...constants);
    disposeTree(x);
    if (!keep || k > 0) disposeTree(state);
    state = next;
    ys.push(y);
  }
  return [state, stacked(ys)];
}

/** The steps of many calls, each step of all of them as one program: for devices that take no loops. */
export function manyByOne<S, X, Y, C extends readonly unknown[]>(
  one: Compiled<[S, X, Rng | null, ...C], readonly [S, Y]>,
  calls: readonly [state: S, xs: X, rngs: readonly Rng[] | null, ...constants: C][],
  counted: (xs: X, rngs: readonly Rng[] | null) => number,
  keep: boolean,
): Spent<[S, Y]>[] {
  const counts = calls.map(([, xs, rngs]) => counted(xs, rngs));
  const ys: Y[][] = calls.map(() => []);
  const flops = calls.map(() => 0);
  const states = calls.map(([state]) => state);
  for (let k = 0; k < Math.max(...counts); k++) {
    const going = [...calls.keys()].filter((i) => k < counts[i]!);
    const asked = going.map((i): [S, X, Rng | null, ...C] => {
      const [, xs, rngs, ...constants] = calls[i]!;
      const x = detached(() => mapTree((leaf: tf.Tensor) => row(leaf, k), xs) as X);
      return [states[i]!, x, rngs?.[k] ?? null, ...constants];
    });
    one.together(asked).forEach(({ value: [next, y], flops: spent }, at) => {
      const i = going[at]!;
      disposeTree(asked[at]![1]);
      if (!keep || k > 0) disposeTree(states[i]);
      states[i] = next;
      ys[i]!.push(y);
      flops[i]! += spent;
    });
  }
  return calls.map((_, i) => ({ value: [states[i]!, stacked(ys[i]!)], flops: flops[i]! }));
}

/** What one step takes of the inputs of all steps. Numbers of the host are cut there, so that each row crosses to a device once. */
function row(leaf: tf.Tensor, k: number): tf.Tensor {
  const { block, layout } = backend.entry(leaf.dataId);
  if (bound.device === null || block === null || block.isResident || layout !== null)
    return tf.squeeze(tf.slice(leaf, [k], [1]), [0]);
  const size = leaf.size / leaf.shape[0]!;
  return tf.tensor(block.data.subarray(k * size, (k + 1) * size) as Float32Array, leaf.shape.slice(1), leaf.dtype);
}
