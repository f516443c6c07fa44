/** Softmax regression in plain numbers, and the step of a network that is one: an oracle for methods that are more than one gradient. */
import { tf, valueAndGrad } from "../../lib/engine/index.ts";
import { crossEntropies, masked, type Weights } from "../../lib/models/network.ts";
import type { AskedRows, Passed, PassOptions, Step } from "../../lib/strategies/strategy.ts";
import { targetLoss, targetLosses } from "../../lib/train/objective.ts";

/** `logits[c] = Σ_i kernel[i][c] x[i] + bias[c]`. */
export interface Linear {
  readonly kernel: readonly (readonly number[])[];
  readonly bias: readonly number[];
}

export type Rows = readonly (readonly number[])[];

/** The logits of one example. */
export function logitsOf({ kernel, bias }: Linear, x: readonly number[]): number[] {
  return bias.map((b, c) => x.reduce((sum, value, i) => sum + value * kernel[i]![c]!, b));
}

/** `softmax(logits) − onehot(y)`: the gradient of the cross-entropy with respect to the logits. */
export function slopes(logits: readonly number[], y: number): number[] {
  const top = Math.max(...logits);
  const powers = logits.map((z) => Math.exp(z - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p, c) => p / sum - +(c === y));
}

/** The weights after a step of plain descent on the mean cross-entropy of some examples. */
export function descended(at: Linear, x: Rows, y: readonly number[], rate: number): Linear {
  const kernel = at.kernel.map((row) => [...row]);
  const bias = [...at.bias];
  x.forEach((row, n) => {
    slopes(logitsOf(at, row), y[n]!).forEach((slope, c) => {
      bias[c]! -= (rate * slope) / x.length;
      row.forEach((value, i) => {
        kernel[i]![c]! -= (rate * slope * value) / x.length;
      });
    });
  });
  return { kernel, bias };
}

/** `a + share · (b − a)`. */
export function between(a: Linear, b: Linear, share: number): Linear {
  const on = (p: number, q: number): number => p + share * (q - p);
  return {
    kernel: a.kernel.map((row, i) => row.map((value, c) => on(value, b.kernel[i]![c]!))),
    bias: a.bias.map((value, c) => on(value, b.bias[c]!)),
  };
}

/** All numbers, the kernel first. */
export function flat({ kernel, bias }: Linear): number[] {
  return [...kernel.flat(), ...bias];
}

/** The weights as a network's. */
export function asWeights({ kernel, bias }: Linear): Weights {
  return { model: {}, head: { kernel: tf.tensor2d(kernel.map((row) => [...row])), bias: tf.tensor1d([...bias]) } };
}

/** All numbers of a network's weights, the kernel first. */
export function ofWeights({ head }: Weights): number[] {
  return [...(head.kernel as tf.Tensor).dataSync(), ...(head.bias as tf.Tensor).dataSync()];
}

/** What the traced hooks of a strategy see of a step of softmax regression. */
export function stepOf(at: Linear, x: Rows, y: readonly number[], rate: number, more: Partial<Step> = {}): Step {
  const weights = asWeights(at);
  const pass = (rows: tf.Tensor, { head }: Weights): Passed => ({
    features: rows,
    logits: tf.add(tf.matMul(rows as tf.Tensor2D, head.kernel as tf.Tensor2D), head.bias as tf.Tensor),
  });
  const inputs = tf.tensor2d(x.map((row) => [...row]));
  const step: Step = {
    weights,
    x: inputs,
    y: tf.tensor1d([...y], "int32"),
    targets: null,
    mask: null,
    weight: null,
    task: null,
    current: x.length,
    rows: {},
    rate: tf.scalar(rate),
    rng: null,
    statistics: {},
    extra: {},
    ...pass(inputs, weights),
    forward: (rows: tf.Tensor, options: PassOptions = {}) => pass(rows, options.weights ?? weights),
    crossEntropy: (logits: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor | null) =>
      tf.mean(crossEntropies(masked(logits, mask), labels)) as tf.Scalar,
    target: "class",
    targetLoss: (of: AskedRows = step) => targetLoss("class", of),
    targetLosses: (of: AskedRows = step) => targetLosses("class", of),
    gradient: (loss: (weights: Weights) => tf.Tensor) => valueAndGrad(loss, weights).grads,
    ...more,
  } as Step;
  return step;
}
