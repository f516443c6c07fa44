/** The point at which a function gives what it is given. */
import { scan, tf, when } from "../../engine/index.ts";

/** How a fixed point is looked for. */
export interface FixedPointOptions {
  /**
   * "broyden": Newton's method with an inverse Jacobian that is updated by what it meets. "iterate": f again and again. "ode": z′ = f(z) − z by steps
   * of their own size (Bogacki and Shampine 1989, orders 3 and 2).
   */
  readonly solver: "broyden" | "iterate" | "ode";
  /** The most steps. */
  readonly steps: number;
  /** It ends where ‖f(z) − z‖ is below this share of ‖f(z)‖, over all examples together. */
  readonly tolerance: number;
}

/** A fixed point and what it took. */
export interface FixedPoint {
  readonly z: tf.Tensor;
  /** How often the function was evaluated. */
  readonly evaluations: tf.Tensor;
  /** ‖f(z) − z‖ / ‖f(z)‖ at the end. */
  readonly residual: tf.Tensor;
}

type Given = { readonly [name: string]: tf.Tensor };

/**
 * A point where `f(z, constants)` is z, from `first` on; `[n, d]`. It is one loop in the program, whose passes do nothing after the end. It has no
 * gradient.
 */
export function fixedPoint<C>(
  f: (z: tf.Tensor, constants: C) => tf.Tensor,
  first: tf.Tensor,
  constants: C,
  { solver, steps, tolerance }: FixedPointOptions,
): FixedPoint {
  const slope = (z: tf.Tensor, own: C): tf.Tensor => tf.sub(f(z, own), z);
  const residual = ({ z, g }: Given): tf.Tensor => tf.div(tf.norm(g!), tf.add(tf.norm(tf.add(z!, g!)), 1e-9));
  const { start, step } = { broyden, iterate, ode }[solver](slope, steps);
  const all = { z: first, g: slope(first, constants), evaluations: tf.scalar(1), ...start(first) };
  const [last] = scan(
    (state: Given, _: tf.Tensor, own: C) => {
      const goesOn = tf.cast(tf.greater(residual(state), tolerance), "float32");
      return [when(goesOn, (now) => step(now, own), state), goesOn] as const;
    },
    all as Given,
    tf.zeros([steps]),
    constants,
  );
  return { z: last.z!, evaluations: last.evaluations!, residual: residual(last) };
}

/** How a method begins, and one step of it: the same tensors in the same order. `g` is f(z) − z. */
type Method<C> = (
  slope: (z: tf.Tensor, constants: C) => tf.Tensor,
  steps: number,
) => { readonly start: (z: tf.Tensor) => Given; readonly step: (state: Given, constants: C) => Given };

const iterate = <C>(slope: (z: tf.Tensor, constants: C) => tf.Tensor): ReturnType<Method<C>> => ({
  start: () => ({}),
  step({ z, g, evaluations }, constants) {
    const next = tf.add(z!, g!);
    return { z: next, g: slope(next, constants), evaluations: tf.add(evaluations!, 1) };
  },
});

/** The inverse Jacobian is −1 + Σ u vᵀ, for each example; of the pairs the last sixteen are kept. */
const broyden = <C>(slope: (z: tf.Tensor, constants: C) => tf.Tensor, steps: number): ReturnType<Method<C>> => {
  const kept = Math.min(steps, 16);
  /** `Σ a (b · x)` over the pairs, less x. */
  const applied = (a: tf.Tensor, b: tf.Tensor, x: tf.Tensor): tf.Tensor => {
    const shares = tf.matMul(b, tf.expandDims(x, 2));
    return tf.sub(tf.reshape(tf.matMul(a, shares, true), x.shape), x);
  };
  return {
    start: (z) => {
      const [n, d] = z.shape as [number, number];
      return { u: tf.zeros([n, kept, d]), v: tf.zeros([n, kept, d]), k: tf.scalar(0) };
    },
    step({ z, g, u, v, k, evaluations }, constants) {
      const move = tf.neg(applied(u!, v!, g!));
      const next = tf.add(z!, move);
      const after = slope(next, constants);
      const changed = tf.sub(after, g!);
      const left = applied(v!, u!, move);
      const below = tf.sum(tf.mul(left, changed), 1, true);
      const safe = tf.where(tf.less(tf.abs(below), 1e-12), tf.onesLike(below), below);
      const fresh = tf.div(tf.sub(move, applied(u!, v!, changed)), safe);
      const here = tf.cast(tf.equal(tf.range(0, kept), tf.mod(k!, kept)), "float32");
      const at = tf.reshape(here, [1, kept, 1]);
      const put = (pairs: tf.Tensor, one: tf.Tensor): tf.Tensor =>
        tf.add(tf.mul(pairs, tf.sub(1, at)), tf.mul(tf.expandDims(one, 1), at));
      return {
        z: next,
        g: after,
        evaluations: tf.add(evaluations!, 1),
        u: put(u!, fresh),
        v: put(v!, left),
        k: tf.add(k!, 1),
      };
    },
  };
};

const ode = <C>(slope: (z: tf.Tensor, constants: C) => tf.Tensor): ReturnType<Method<C>> => ({
  start: () => ({ size: tf.scalar(0.5) }),
  step({ z, g, size, evaluations }, constants) {
    const along = (...parts: readonly (readonly [number, tf.Tensor])[]): tf.Tensor =>
      tf.mul(
        parts.map(([share, one]) => tf.mul(one, share)).reduce((a, b) => tf.add(a, b)),
        size!,
      );
    const second = slope(tf.add(z!, along([1 / 2, g!])), constants);
    const third = slope(tf.add(z!, along([3 / 4, second])), constants);
    const next = tf.add(z!, along([2 / 9, g!], [1 / 3, second], [4 / 9, third]));
    const fourth = slope(next, constants);
    const error = along([-5 / 72, g!], [1 / 12, second], [1 / 9, third], [-1 / 8, fourth]);
    const allowed = tf.add(tf.mul(tf.maximum(tf.abs(z!), tf.abs(next)), 1e-2), 1e-3);
    const apart = tf.sqrt(tf.mean(tf.square(tf.div(error, allowed))));
    const isGood = tf.lessEqual(apart, 1);
    const factor = tf.clipByValue(tf.mul(tf.pow(tf.add(apart, 1e-6), -1 / 3), 0.9), 0.2, 5);
    return {
      z: tf.where(isGood, next, z!),
      g: tf.where(isGood, fourth, g!),
      evaluations: tf.add(evaluations!, 3),
      // near the end any error is small: what f contracts is stable up to this
      size: tf.minimum(tf.mul(size!, factor), 1.2),
    };
  },
});
