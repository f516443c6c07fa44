/** Neurons that fire. */
import { tf } from "../../engine/index.ts";
import { still } from "./gradients.ts";
import { goOn } from "./recurrence.ts";

/** How a neuron charges and when it fires. */
export interface Firing {
  /** How many places the charge of a membrane lasts. */
  readonly tau: number;
  /** From which charge on it fires. */
  readonly threshold: number;
}

/**
 * The spikes, 0 or 1, of leaky neurons that what comes in charges, `[n, length, units]`, and their charges at the end: `v ← v + (x − v)/τ`, `s = 1` where `v ≥ θ`, and then `v ← 0`. The gradient of a spike is that of an arc
 * tangent, `1 / (1 + (π (v − θ))²)`, and does not go through the reset.
 */
export function spikes(
  x: tf.Tensor,
  charge: tf.Tensor | null,
  keep: tf.Tensor | null,
  { tau, threshold }: Firing,
): readonly [tf.Tensor, tf.Tensor] {
  const [n, length, units] = x.shape as [number, number, number];
  const [all, [after]] = goOn(
    ([v], given) => {
      const charged = tf.add(v!, tf.div(tf.sub(given, v!), tau));
      const spike = fired(tf.sub(charged, threshold));
      return [spike, [tf.mul(charged, tf.sub(1, still(spike)))]];
    },
    [charge ?? tf.zeros([n, units])],
    x,
    {},
    keep ?? tf.ones([n, length]),
  );
  return [all, after!];
}

/** 1 where a number is not below 0, with the gradient of an arc tangent. */
const fired = (x: tf.Tensor): tf.Tensor =>
  tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const own = args[0] as tf.Tensor;
    (args[1] as tf.GradSaveFunc)([own]);
    return {
      value: tf.cast(tf.greaterEqual(own, 0), "float32"),
      gradFunc: (dy: tf.Tensor, [x]: tf.Tensor[]) => [tf.div(dy, tf.add(1, tf.square(tf.mul(x!, Math.PI))))],
    };
  })(x);
