/** Small training programs in plain TensorFlow.js, shared by the engine's tests and benchmarks. */
import { type Rng, random, tf, valueAndGrad } from "../../lib/engine/index.ts";

export type Params = Record<string, tf.Tensor>;
export interface Program {
  readonly init: (rng: Rng) => Params;
  readonly apply: (p: Params, x: tf.Tensor) => tf.Tensor;
  readonly input: readonly number[];
  readonly classes: number;
}

const he = (rng: Rng, shape: number[], fanIn: number): tf.Tensor => rng.normals(shape, 0, Math.sqrt(2 / fanIn));

export function mlp(sizes: readonly number[]): Program {
  return {
    input: [sizes[0]!],
    classes: sizes.at(-1)!,
    init: (rng) => {
      const p: Params = {};
      for (let i = 1; i < sizes.length; i++) {
        p[`w${i}`] = he(rng, [sizes[i - 1]!, sizes[i]!], sizes[i - 1]!);
        p[`b${i}`] = tf.zeros([sizes[i]!]);
      }
      return p;
    },
    apply: (p, x) => {
      let h = x;
      for (let i = 1; i < sizes.length; i++) {
        h = tf.add(tf.matMul(h as tf.Tensor2D, p[`w${i}`] as tf.Tensor2D), p[`b${i}`]!);
        if (i < sizes.length - 1) h = tf.relu(h);
      }
      return h;
    },
  };
}

/** Two convolutions of 32 and 64 channels with pooling, then a dense layer: the usual small network for 28 by 28 images. */
export function cnn(size = 28, filters: readonly [number, number] = [32, 64], hidden = 128): Program {
  const flat = Math.floor(size / 4) ** 2 * filters[1];
  return {
    input: [size, size, 1],
    classes: 10,
    init: (rng) => ({
      k1: he(rng, [3, 3, 1, filters[0]], 9),
      c1: tf.zeros([filters[0]]),
      k2: he(rng, [3, 3, filters[0], filters[1]], 9 * filters[0]),
      c2: tf.zeros([filters[1]]),
      w1: he(rng, [flat, hidden], flat),
      b1: tf.zeros([hidden]),
      w2: he(rng, [hidden, 10], hidden),
      b2: tf.zeros([10]),
    }),
    apply: (p, x) => {
      const stage = (h: tf.Tensor, k: string, c: string): tf.Tensor =>
        tf.maxPool(
          tf.relu(tf.add(tf.conv2d(h as tf.Tensor4D, p[k] as tf.Tensor4D, 1, "same"), p[c]!)) as tf.Tensor4D,
          2,
          2,
          "valid",
        );
      let h: tf.Tensor = stage(stage(x, "k1", "c1"), "k2", "c2");
      h = tf.reshape(h, [-1, flat]);
      h = tf.relu(tf.add(tf.matMul(h as tf.Tensor2D, p.w1 as tf.Tensor2D), p.b1!));
      return tf.add(tf.matMul(h as tf.Tensor2D, p.w2 as tf.Tensor2D), p.b2!);
    },
  };
}

/** Mean cross-entropy of whole-number labels. */
export const crossEntropy = (logits: tf.Tensor, labels: tf.Tensor): tf.Scalar =>
  tf.neg(
    tf.mean(
      tf.sum(
        tf.mul(tf.logSoftmax(logits), tf.oneHot(labels as tf.Tensor1D, logits.shape.at(-1)!, 1, 0, "float32")),
        -1,
      ),
    ),
  );

export interface Optimizer {
  readonly init: (p: Params) => Params;
  readonly update: (g: Params, s: Params, p: Params, rate: tf.Tensor) => [Params, Params];
}
const each = (p: Params, fn: (key: string) => tf.Tensor): Params =>
  Object.fromEntries(Object.keys(p).map((k) => [k, fn(k)]));

export const sgd: Optimizer = {
  init: () => ({}),
  update: (g, s, p, rate) => [each(p, (k) => tf.sub(p[k]!, tf.mul(g[k]!, rate))), s],
};
export const momentum: Optimizer = {
  init: (p) => each(p, (k) => tf.zerosLike(p[k]!)),
  update: (g, s, p, rate) => {
    const next = each(p, (k) => tf.add(tf.mul(s[k]!, 0.9), g[k]!));
    return [each(p, (k) => tf.sub(p[k]!, tf.mul(next[k]!, rate))), next];
  },
};
export const adam: Optimizer = {
  init: (p) => {
    const s: Params = { power1: tf.scalar(1), power2: tf.scalar(1) };
    for (const k of Object.keys(p)) {
      s[`m.${k}`] = tf.zerosLike(p[k]!);
      s[`v.${k}`] = tf.zerosLike(p[k]!);
    }
    return s;
  },
  update: (g, s, p, rate) => {
    const next: Params = { power1: tf.mul(s.power1!, 0.9), power2: tf.mul(s.power2!, 0.999) };
    for (const k of Object.keys(p)) {
      next[`m.${k}`] = tf.add(tf.mul(s[`m.${k}`]!, 0.9), tf.mul(g[k]!, 0.1));
      next[`v.${k}`] = tf.add(tf.mul(s[`v.${k}`]!, 0.999), tf.mul(tf.square(g[k]!), 0.001));
    }
    const size = tf.div(rate, tf.sub(1, next.power1!));
    const correction = tf.sqrt(tf.sub(1, next.power2!));
    const step = (k: string): tf.Tensor =>
      tf.mul(size, tf.div(next[`m.${k}`]!, tf.add(tf.div(tf.sqrt(next[`v.${k}`]!), correction), 1e-8)));
    return [each(p, (k) => tf.sub(p[k]!, step(k))), next];
  },
};

export interface State {
  readonly params: Params;
  readonly slots: Params;
}
export interface Batch {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
}

/** A training step over explicit state. */
export const trainer =
  (program: Program, optimizer: Optimizer) =>
  (state: State, batch: Batch, _: Rng | null, rate: tf.Tensor): [State, tf.Scalar] => {
    const { value, grads } = valueAndGrad(
      (p: Params) => crossEntropy(program.apply(p, batch.x), batch.y),
      state.params,
    );
    const [params, slots] = optimizer.update(grads, state.slots, state.params, rate);
    return [{ params, slots }, value];
  };

export function start(program: Program, optimizer: Optimizer, seed = 1): State {
  const params = program.init(random(seed).at("init"));
  return { params, slots: optimizer.init(params) };
}

export function batch(program: Program, size: number, seed: number): Batch {
  const rng = random(seed).at("batch");
  const x = rng.at("x").uniforms([size, ...program.input], 0, 1);
  const y = tf.tensor1d(
    Int32Array.from({ length: size }, () => rng.int(program.classes)),
    "int32",
  );
  return { x, y };
}
