/** Functions over trees of tensors, run as one program. */
import * as tf from "@tensorflow/tfjs-core";
import type { Rng } from "./random.ts";
import { disposeTree, leaves, mapTree, type Tree } from "./tree.ts";

/** Settings of `jit` and `steps`. */
export interface JitOptions {
  /** Shown in errors and profiles. Default: the function's name. */
  readonly name?: string;
  /** Positions of arguments that the call consumes: their tensors are disposed and their memory may be used again. */
  readonly donate?: readonly number[];
}

/**
 * Compiles a function over trees of tensors.
 *
 * Tensors in the arguments are inputs; an `Rng` is a source of noise; every other value is part of the signature, for which the
 * function is traced once. The result's tensors are new and belong to the caller.
 *
 * @example
 * ```ts
 * import { jit, tf } from "thalweg";
 * const double = jit((x: tf.Tensor) => tf.mul(x, 2));
 * [...double(tf.tensor1d([1, 2])).dataSync()]; // [2, 4]
 * ```
 */
export function jit<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: JitOptions = {},
): (...args: A) => R {
  return (...args) => {
    const out = detached(() => fn(...args));
    for (const at of options.donate ?? []) disposeTree(args[at]);
    return out;
  };
}

/** Runs `fn` in a scope and gives back its tensors as new ones that no scope will dispose. */
function detached<R>(fn: () => R): R {
  const out = tf.tidy((): tf.TensorContainer => {
    const result = fn();
    const seen = new Set<unknown>();
    return mapTree((leaf: unknown) => {
      if (!(leaf instanceof tf.Tensor)) return leaf;
      const own = leaf.clone();
      seen.add(own);
      return tf.keep(own);
    }, result) as tf.TensorContainer;
  }) as R;
  for (const leaf of leaves<unknown>(out as Tree<unknown>)) if (leaf instanceof tf.Tensor) leaf.kept = false;
  return out;
}

/**
 * Compiles a training step and runs it K times in one program.
 *
 * `fn(state, x, rng, ...constants)` returns `[state, y]`. The compiled function takes the state (which it consumes), the inputs of all
 * steps with a leading axis of length K on every leaf, K noise sources or `null`, and the constants; it gives the last state and
 * every `y` stacked along a leading axis.
 */
export function steps<S, X, Y, C extends readonly unknown[]>(
  fn: (state: S, x: X, rng: Rng | null, ...constants: C) => readonly [S, Y],
  options: Omit<JitOptions, "donate"> = {},
): (state: S, xs: X, rngs: readonly Rng[] | null, ...constants: C) => [S, Y] {
  const one = jit(fn, { ...options, donate: [0] });
  return (state, xs, rngs, ...constants) => {
    const count = leaves(xs as Tree)[0]?.shape[0] ?? 0;
    if (count === 0) throw new RangeError("steps: at least one step is required, got inputs with a leading axis of 0");
    const ys: Y[] = [];
    for (let k = 0; k < count; k++) {
      const x = detached(() => mapTree((leaf: tf.Tensor) => tf.squeeze(tf.slice(leaf, [k], [1]), [0]), xs) as X);
      const [next, y] = one(state, x, rngs === null ? null : (rngs[k] ?? null), ...constants);
      for (const leaf of leaves(x as Tree)) leaf.dispose();
      state = next;
      ys.push(y);
    }
    const stacked = mapTree((...parts: tf.Tensor[]) => tf.stack(parts), ...(ys as [Y, ...Y[]])) as Y;
    for (const y of ys) disposeTree(y);
    return [state, stacked];
  };
}
