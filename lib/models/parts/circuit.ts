/** Small quantum circuits, simulated by their state vectors. Qubit 0 is the first digit of a state's number. */
import { tf } from "../../engine/index.ts";

/** A tensor of complex numbers. */
export interface Complex<T extends tf.Tensor = tf.Tensor> {
  readonly re: T;
  readonly im: T;
}

/** Products by what multiplies two real tensors. */
function times(a: Complex, b: Complex, by: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Complex {
  return {
    re: tf.sub(by(a.re, b.re), by(a.im, b.im)),
    im: tf.add(by(a.re, b.im), by(a.im, b.re)),
  };
}

/**
 * The states of qubits that are turned by numbers, `[n, qubits]`, one by one: `[n, 2^qubits]`.
 *
 * Each begins as (|0⟩ + |1⟩)/√2 and goes through R_y(arctan x) and R_z(arctan x²).
 */
export function encoded(x: tf.Tensor): Complex {
  const [n, qubits] = x.shape as [number, number];
  const [about, phase] = [tf.div(tf.atan(x), 2), tf.div(tf.atan(tf.square(x)), 2)];
  const amplitude = [tf.sub(tf.cos(about), tf.sin(about)), tf.add(tf.cos(about), tf.sin(about))];
  const one = (i: number): Complex => {
    const column = (t: tf.Tensor): tf.Tensor => tf.slice(t, [0, i], [n, 1]);
    const [low, high] = amplitude.map((t) => tf.mul(column(t), Math.SQRT1_2)) as [tf.Tensor, tf.Tensor];
    const [c, s] = [tf.cos(column(phase)), tf.sin(column(phase))];
    return {
      re: tf.concat([tf.mul(low, c), tf.mul(high, c)], 1),
      im: tf.concat([tf.neg(tf.mul(low, s)), tf.mul(high, s)], 1),
    };
  };
  const beside = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
    tf.reshape(tf.mul(tf.expandDims(a, 2), tf.expandDims(b, 1)), [n, a.shape[1]! * 2]);
  return Array.from({ length: qubits }, (_, i) => one(i)).reduce((all, next) => times(all, next, beside));
}

/**
 * What layers of a circuit do to a row of amplitudes, as a matrix `[2^qubits, 2^qubits]` that it is multiplied by.
 *
 * In each layer every qubit flips the next one and then the one after that where it is 1, going round, and is turned by three angles:
 * `angles` is `[layers, qubits, 3]`, R_z of the first, R_y of the second, R_z of the third.
 */
export function layered(angles: tf.Tensor): Complex {
  const [layers, qubits] = angles.shape as [number, number, number];
  const flips = tf.tensor2d(entangling(qubits));
  return Array.from({ length: layers }, (_, layer) => {
    const turned = rotations(tf.reshape(tf.slice(angles, [layer, 0, 0], [1, qubits, 3]), [qubits, 3]));
    return { re: tf.matMul(flips, turned.re as tf.Tensor2D), im: tf.matMul(flips, turned.im as tf.Tensor2D) };
  }).reduce<Complex | undefined>(
    (all, next) => (all === undefined ? next : times(all, next, tf.matMul as never)),
    undefined,
  ) as Complex;
}

/** The expectation of Z of the first qubits, `[n, measured]`, from amplitudes `[n, 2^qubits]` that go through a circuit. */
export function measured(state: Complex, circuit: Complex, qubits: number, count: number): tf.Tensor {
  const { re, im } = times(state, circuit, tf.matMul as never);
  const probabilities = tf.add(tf.square(re), tf.square(im));
  const signs = Array.from({ length: 2 ** qubits }, (_, basis) =>
    Array.from({ length: count }, (_, i) => ((basis >> (qubits - 1 - i)) & 1 ? -1 : 1)),
  );
  return tf.matMul(probabilities as tf.Tensor2D, tf.tensor2d(signs));
}

/** All qubits turned at once, as the transposed product of their matrices. */
function rotations(angles: tf.Tensor): Complex {
  const qubits = angles.shape[0]!;
  const beside = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => {
    const size = a.shape[0]!;
    return tf.reshape(tf.mul(tf.reshape(a, [size, 1, size, 1]), tf.reshape(b, [1, 2, 1, 2])), [2 * size, 2 * size]);
  };
  const one = (i: number): Complex => {
    const angle = (k: number): tf.Tensor => tf.div(tf.slice(angles, [i, k], [1, 1]), 2);
    const [cos, sin] = [tf.cos(angle(1)), tf.sin(angle(1))];
    const [sum, apart] = [tf.add(angle(0), angle(2)), tf.sub(angle(0), angle(2))];
    // R = R_z(ω) R_y(θ) R_z(φ), given as the rows of its transpose
    const square = (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor): tf.Tensor =>
      tf.concat([tf.concat([a, b], 1), tf.concat([c, d], 1)], 0);
    const [cs, ca, ss, sa] = [tf.cos(sum), tf.cos(apart), tf.sin(sum), tf.sin(apart)];
    return {
      re: square(tf.mul(cos, cs), tf.mul(sin, ca), tf.neg(tf.mul(sin, ca)), tf.mul(cos, cs)),
      im: square(tf.neg(tf.mul(cos, ss)), tf.neg(tf.mul(sin, sa)), tf.neg(tf.mul(sin, sa)), tf.mul(cos, ss)),
    };
  };
  return Array.from({ length: qubits }, (_, i) => one(i)).reduce((all, next) => times(all, next, beside));
}

/** The matrix by which a row of amplitudes is multiplied where each qubit flips the next one, then the one after that. */
function entangling(qubits: number): number[][] {
  const steps = [1, 2].filter((step) => step < qubits);
  const flips = steps.flatMap((step) => Array.from({ length: qubits }, (_, i) => [i, (i + step) % qubits] as const));
  const bit = (qubit: number): number => 1 << (qubits - 1 - qubit);
  const after = (basis: number): number =>
    flips.reduce((now, [control, target]) => (now & bit(control) ? now ^ bit(target) : now), basis);
  return Array.from({ length: 2 ** qubits }, (_, from) =>
    Array.from({ length: 2 ** qubits }, (_, to) => (to === after(from) ? 1 : 0)),
  );
}
