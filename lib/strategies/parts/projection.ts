/** Geometry of gradients that are trees: dot products, projections, and the cone of directions that hurt no reference. */
import { mapTensors, sumTree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";

/** The dot product of two trees. */
export function dot(a: Weights, b: Weights): tf.Scalar {
  return sumTree((x, y) => tf.sum(tf.mul(x, y!)) as tf.Scalar, a, b);
}

/** `a + times · b`. */
export function plus(a: Weights, b: Weights, times: tf.Tensor | number): Weights {
  return mapTensors((x, y) => tf.add(x, tf.mul(y!, times)), a, b);
}

/** The gradient without its part against a reference, where the two disagree; itself where they agree (Chaudhry et al. 2019, eq. 11). */
export function awayFrom(gradient: Weights, reference: Weights, epsilon: number): Weights {
  const along = dot(gradient, reference);
  const share = tf.div(along, tf.add(dot(reference, reference), epsilon));
  return plus(gradient, reference, tf.neg(tf.minimum(share, 0)));
}

/**
 * The multipliers v ≥ margin that minimise `½ vᵀ P v + qᵀ v`, by rounds of exact minimisation of one multiplier after the other, starting
 * at the margin. `P` is `[t, t]`, positive definite but for rounding, `q` is `[t]`.
 */
export function cone(P: tf.Tensor, q: tf.Tensor, margin: number, rounds: number): tf.Tensor {
  const t = q.shape[0]!;
  const rows = Array.from({ length: t }, (_, i) => tf.reshape(tf.slice(P, [i, 0], [1, t]), [t]));
  const units = Array.from({ length: t }, (_, i) =>
    tf.tensor1d(Float32Array.from({ length: t }, (_, j) => +(i === j))),
  );
  const needs = units.map((unit, i) => tf.add(tf.sum(tf.mul(rows[i]!, unit)), 1e-12));
  const offsets = units.map((unit) => tf.sum(tf.mul(q, unit)));
  let v: tf.Tensor = tf.fill([t], margin);
  for (let round = 0; round < (t === 1 ? 1 : rounds); round++) {
    for (let i = 0; i < t; i++) {
      const own = tf.sum(tf.mul(v, units[i]!));
      const slope = tf.add(tf.sum(tf.mul(rows[i]!, v)), offsets[i]!);
      const next = tf.maximum(tf.sub(own, tf.div(slope, needs[i]!)), margin);
      v = tf.add(v, tf.mul(units[i]!, tf.sub(next, own)));
    }
  }
  return v;
}
