/** Small training programs in plain TensorFlow.js, shared by the engine's tests and benchmarks. */
import { nn, type Rng, random, tf, valueAndGrad } from "../../lib/engine/index.ts";

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

/** ResNet-18 for 32 by 32 images with batch normalisation by the batch, `filters` channels in the first stage. */
export function resnet18(filters = 20, size = 32, stages: readonly number[] = [1, 2, 4, 8]): Program {
  const blocks: { name: string; from: number; to: number; stride: number }[] = [];
  let channels = filters;
  stages.forEach((times, stage) => {
    for (const [block, stride] of [
      [0, stage === 0 ? 1 : 2],
      [1, 1],
    ] as const) {
      blocks.push({ name: `s${stage}b${block}`, from: channels, to: filters * times, stride });
      channels = filters * times;
    }
  });
  const isShort = ({ from, to, stride }: (typeof blocks)[0]): boolean => from !== to || stride !== 1;
  return {
    input: [size, size, 3],
    classes: 10,
    init: (rng) => {
      const p: Params = {};
      const conv = (name: string, k: number, from: number, to: number): void => {
        p[`${name}.k`] = he(rng, [k, k, from, to], k * k * from);
        p[`${name}.g`] = tf.ones([to]);
        p[`${name}.b`] = tf.zeros([to]);
      };
      conv("stem", 3, 3, filters);
      for (const block of blocks) {
        conv(`${block.name}.1`, 3, block.from, block.to);
        conv(`${block.name}.2`, 3, block.to, block.to);
        if (isShort(block)) conv(`${block.name}.s`, 1, block.from, block.to);
      }
      p.w = he(rng, [channels, 10], channels);
      p.b = tf.zeros([10]);
      return p;
    },
    apply: (p, x) => {
      const conv = (h: tf.Tensor, name: string, stride: number): tf.Tensor =>
        nn.batchNormalise(
          tf.conv2d(h as tf.Tensor4D, p[`${name}.k`] as tf.Tensor4D, stride, "same"),
          p[`${name}.g`]!,
          p[`${name}.b`]!,
        ).y;
      let h = tf.relu(conv(x, "stem", 1));
      for (const block of blocks) {
        const inner = conv(tf.relu(conv(h, `${block.name}.1`, block.stride)), `${block.name}.2`, 1);
        h = tf.relu(tf.add(inner, isShort(block) ? conv(h, `${block.name}.s`, block.stride) : h));
      }
      return tf.add(tf.matMul(tf.mean(h, [1, 2]) as tf.Tensor2D, p.w as tf.Tensor2D), p.b!);
    },
  };
}

/** A small vision transformer over patches that are already cut: pre-norm blocks, mean of the tokens. */
export function vit(width = 64, heads = 4, depth = 4, tokens = 64, patch = 48): Program {
  const dense = (p: Params, rng: Rng, name: string, from: number, to: number): void => {
    p[`${name}.w`] = rng.normals([from, to], 0, Math.sqrt(1 / from));
    p[`${name}.b`] = tf.zeros([to]);
  };
  const norm = (p: Params, name: string): void => {
    p[`${name}.g`] = tf.ones([width]);
    p[`${name}.b`] = tf.zeros([width]);
  };
  return {
    input: [tokens, patch],
    classes: 10,
    init: (rng) => {
      const p: Params = { place: rng.normals([1, tokens, width], 0, 0.02) };
      dense(p, rng, "embed", patch, width);
      for (let i = 0; i < depth; i++) {
        norm(p, `${i}.n1`);
        // No bias: the gradient of a key's bias is nothing but rounding.
        p[`${i}.qkv.w`] = rng.normals([width, 3 * width], 0, Math.sqrt(1 / width));
        dense(p, rng, `${i}.out`, width, width);
        norm(p, `${i}.n2`);
        dense(p, rng, `${i}.up`, width, 2 * width);
        dense(p, rng, `${i}.down`, 2 * width, width);
      }
      norm(p, "last");
      dense(p, rng, "head", width, 10);
      return p;
    },
    apply: (p, x) => {
      const batchSize = x.shape[0]!;
      const apply = (h: tf.Tensor, name: string): tf.Tensor => {
        const flat = tf.reshape(h, [-1, h.shape.at(-1)!]) as tf.Tensor2D;
        const product = tf.matMul(flat, p[`${name}.w`] as tf.Tensor2D);
        const y = p[`${name}.b`] ? tf.add(product, p[`${name}.b`]!) : product;
        return tf.reshape(y, [...h.shape.slice(0, -1), y.shape.at(-1)!]);
      };
      const normal = (h: tf.Tensor, name: string): tf.Tensor => nn.layerNormalise(h, p[`${name}.g`]!, p[`${name}.b`]!);
      let h = tf.add(apply(x, "embed"), p.place!);
      for (let i = 0; i < depth; i++) {
        const parts = tf.reshape(apply(normal(h, `${i}.n1`), `${i}.qkv`), [batchSize, tokens, 3, heads, width / heads]);
        const [q, k, v] = tf.unstack(tf.transpose(parts, [2, 0, 3, 1, 4])) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const seen = tf.reshape(tf.transpose(nn.attention(q, k, v), [0, 2, 1, 3]), [batchSize, tokens, width]);
        h = tf.add(h, apply(seen, `${i}.out`));
        h = tf.add(h, apply(nn.gelu(apply(normal(h, `${i}.n2`), `${i}.up`)), `${i}.down`));
      }
      return apply(tf.mean(normal(h, "last"), 1), "head");
    },
  };
}

/** A gated recurrent unit over `length` steps (Cho et al. 2014), the last state classified. */
export function gru(inputs = 8, width = 16, length = 6): Program {
  return {
    input: [length, inputs],
    classes: 5,
    init: (rng) => ({
      wx: he(rng, [inputs, 3 * width], inputs),
      wh: he(rng, [width, 3 * width], width * 4),
      b: tf.zeros([3 * width]),
      w: he(rng, [width, 5], width),
      c: tf.zeros([5]),
    }),
    apply: (p, x) => {
      let h: tf.Tensor = tf.zeros([x.shape[0]!, width]);
      for (const step of tf.unstack(x, 1)) {
        const [zx, rx, nx] = tf.split(tf.add(tf.matMul(step as tf.Tensor2D, p.wx as tf.Tensor2D), p.b!), 3, 1);
        const [zh, rh, nh] = tf.split(tf.matMul(h as tf.Tensor2D, p.wh as tf.Tensor2D), 3, 1);
        const z = tf.sigmoid(tf.add(zx!, zh!));
        const n = tf.tanh(tf.add(nx!, tf.mul(tf.sigmoid(tf.add(rx!, rh!)), nh!)));
        h = tf.add(tf.mul(tf.sub(1, z), n), tf.mul(z, h));
      }
      return tf.add(tf.matMul(h as tf.Tensor2D, p.w as tf.Tensor2D), p.c!);
    },
  };
}
