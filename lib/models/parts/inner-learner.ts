/** A small network for each head that learns while the sequence passes: by what its gradients at the places of a chunk change what it answers there. */
import { nn, scan, type Tree, tf } from "../../engine/index.ts";
import { chunkSize, lowerOnes } from "./chunks.ts";

/** The kernels of its layers, `[n, heads, inputs, outputs]`; between them are Gaussian error linear units. */
export type Kernels = readonly tf.Tensor[];

/** At each place what comes into each layer, and the gradient by what the layer gives: `[n, heads, places, …]`. */
export interface Slopes {
  readonly inputs: readonly tf.Tensor[];
  readonly grads: readonly tf.Tensor[];
}

/** With a column of ones, where the kernels have a row for a bias. */
export const withOnes = (x: tf.Tensor): tf.Tensor => tf.concat([x, tf.ones([...x.shape.slice(0, -1), 1])], -1);

/** What the network gives for keys, `[n, heads, places, d]`; `into` stands before each layer. */
export function answer(kernels: Kernels, x: tf.Tensor, into: (x: tf.Tensor) => tf.Tensor): tf.Tensor {
  return kernels.reduce((now, kernel, l) => tf.matMul(into(l === 0 ? now : nn.gelu(now)), kernel), x);
}

/** The slopes at all places for a loss whose gradient by the answer is given. All are those of the kernels as they are. */
export function slopes(
  kernels: Kernels,
  x: tf.Tensor,
  into: (x: tf.Tensor) => tf.Tensor,
  gradient: (answer: tf.Tensor) => tf.Tensor,
): Slopes {
  const inputs: tf.Tensor[] = [];
  const sums: tf.Tensor[] = [];
  for (const [l, kernel] of kernels.entries()) {
    inputs.push(into(l === 0 ? x : nn.gelu(sums[l - 1]!)));
    sums.push(tf.matMul(inputs[l]!, kernel));
  }
  const grads: tf.Tensor[] = [];
  let dy = gradient(sums.at(-1)!);
  for (let l = kernels.length - 1; l >= 0; l--) {
    grads[l] = dy;
    if (l === 0) break;
    const { shape } = sums[l - 1]!;
    const back = tf.matMul(dy, kernels[l]!, false, true);
    dy = tf.mul(tf.slice(back, [0, 0, 0, 0], [...shape]), geluSlope(sums[l - 1]!));
  }
  return { inputs, grads };
}

/** How the kernels at a place come from those before the chunk: `keep W + carry M − Σ by[place, earlier] inputᵀ grad`. */
export interface Course {
  /** `[n, heads, places, places]`, 0 above the diagonal. */
  readonly by: tf.Tensor;
  /** `[n, heads, places, 1]`; all of it where it is not given. */
  readonly keep?: tf.Tensor;
  /** Momentum before the chunk, like the kernels, and how much of it is in those at a place. */
  readonly carry?: { readonly kernels: Kernels; readonly share: tf.Tensor };
}

/** What the network gives at each place for queries, after what it has learnt up to there. No kernels of single places are written out. */
export function answerAlong(
  kernels: Kernels,
  x: tf.Tensor,
  into: (x: tf.Tensor) => tf.Tensor,
  { inputs, grads }: Slopes,
  { by, keep, carry }: Course,
): tf.Tensor {
  return kernels.reduce((now, kernel, l) => {
    const given = into(l === 0 ? now : nn.gelu(now));
    const old = tf.matMul(given, kernel);
    const learnt = tf.matMul(tf.mul(tf.matMul(given, inputs[l]!, false, true), by), grads[l]!);
    const kept = tf.sub(keep === undefined ? old : tf.mul(old, keep), learnt);
    return carry === undefined ? kept : tf.add(kept, tf.mul(tf.matMul(given, carry.kernels[l]!), carry.share));
  }, x);
}

/** `Σ share inputᵀ grad` over the places of a chunk, for each layer; `share` is `[n, heads, places, 1]`. */
export function summed({ inputs, grads }: Slopes, share: tf.Tensor): tf.Tensor[] {
  return inputs.map((input, l) => tf.matMul(tf.mul(input, share), grads[l]!, true));
}

/** Goes through chunks with a state: parts `[n, length, heads, d]` come as `[n, heads, size, d]`, with zeros behind the last place. Gives `[n, length, heads, d]`. */
export function throughChunks<S extends Tree, C extends Tree>(
  pass: (state: S, chunk: readonly tf.Tensor[], constants: C) => readonly [S, tf.Tensor],
  first: S,
  parts: readonly tf.Tensor[],
  constants: C,
  size = chunkSize,
): tf.Tensor {
  const [n, length, heads] = parts[0]!.shape as [number, number, number];
  const chunks = Math.ceil(length / size);
  const cut = parts.map((x) => {
    const d = x.shape[3]!;
    const rest = chunks * size - length;
    const whole = rest === 0 ? x : tf.concat([x, tf.zeros([n, rest, heads, d])], 1);
    return tf.transpose(tf.reshape(whole, [n, chunks, size, heads, d]), [1, 0, 3, 2, 4]);
  });
  const [, out] = scan(pass, first, cut as readonly tf.Tensor[], constants);
  const d = out.shape.at(-1)!;
  const joined = tf.reshape(tf.transpose(out, [1, 0, 3, 2, 4]), [n, chunks * size, heads, d]);
  return chunks * size === length ? joined : tf.slice(joined, [0, 0], [n, length]);
}

/** Kernels `[heads, …]` for each of n sequences. */
export function forEach(n: number, kernel: tf.Tensor): tf.Tensor {
  return tf.add(tf.zeros([n, ...kernel.shape]), kernel);
}

/** `exp` of the sums of what is between two places, `[n, heads, places, places]`, for the logarithms of shares `[n, heads, places, 1]`; 0 above the diagonal. */
export function sharesBetween(logs: tf.Tensor): tf.Tensor {
  const sums = tf.cumsum(logs, 2);
  const mask = lowerOnes(logs.shape[2]!);
  return tf.mul(tf.exp(tf.mul(tf.sub(sums, tf.transpose(sums, [0, 1, 3, 2])), mask)), mask);
}

/** The derivative of the tanh form of the Gaussian error linear unit. */
function geluSlope(x: tf.Tensor): tf.Tensor {
  const linear = Math.sqrt(2 / Math.PI);
  const t = tf.tanh(tf.mul(linear, tf.add(x, tf.mul(0.044715, tf.pow(x, 3)))));
  const inner = tf.add(linear, tf.mul(3 * 0.044715 * linear, tf.square(x)));
  return tf.add(tf.mul(0.5, tf.add(1, t)), tf.mul(tf.mul(tf.mul(0.5, x), tf.sub(1, tf.square(t))), inner));
}
