/** A projector of feature maps by a selective state space that scans them in four directions. */
import { nn, type Rng, tf } from "../../engine/index.ts";
import { drawWeights } from "../../models/initial.ts";
import type { Params } from "../../models/model.ts";
import { productParams } from "../../models/parts/product.ts";
import { selectiveScan } from "../../models/parts/selective-scan.ts";
import { shortConv, shortConvParams } from "../../models/parts/short-conv.ts";

/** The tensors of a projector: two products at each place with a normalisation between, a vector for each place, and a selective state space. */
export type Projector = Params;

/** What a projector gives for `n` maps of `places` places. */
export interface Projected {
  /** `[n, width]`: the mean over places of the sum of the four directions. */
  readonly out: tf.Tensor2D;
  /** `[n, places, width]`: the gate before it is bent, which is the same in each direction. */
  readonly gate: tf.Tensor;
  /** `[n, places, …]`, of the first direction: what the steps of time are made of, and what enters and leaves the states. */
  readonly chosen: readonly [step: tf.Tensor, into: tf.Tensor, out: tf.Tensor];
}

/** A new projector of maps `[height, width, channels]`; with `shut` its gate begins at 0, so that it gives 0. */
export function projectorParams(
  [height, width, channels]: readonly [number, number, number],
  state: number,
  shut: boolean,
  rng: Rng,
): Projector {
  const hidden = 2 * channels;
  const places = height * width;
  const drawn = (name: string, inputs: number, outputs: number): tf.Tensor =>
    drawWeights("torch", rng.at(name), [inputs, outputs], inputs, outputs);
  const gate = shut ? tf.zeros([channels, channels]) : drawn("gate", channels, channels);
  const steps = tf.exp(rng.at("steps").uniforms([channels], Math.log(1e-3), Math.log(0.1)));
  return {
    first: productParams(rng.at("first"), channels, hidden),
    scale: tf.ones([places * hidden]),
    shift: tf.zeros([places * hidden]),
    second: drawn("second", hidden, channels),
    place: rng.at("place").normals([height, width, channels], 0, 0.02),
    in: drawn("in", channels, channels),
    gate,
    conv: shortConvParams(rng.at("conv"), channels, 4),
    select: drawn("select", channels, 3 * state),
    // the bias is what softplus makes the steps of
    step: { ...productParams(rng.at("step"), state, channels), bias: tf.log(tf.expm1(steps)) },
    logA: tf.tile(tf.expandDims(tf.log(tf.range(1, state + 1)), 0), [channels, 1]),
    skip: tf.ones([channels]),
  };
}

/** *Traced.* What a projector makes of maps, `[n, height · width · channels]`, the channels of a place side by side. */
export function projected(maps: tf.Tensor, own: Projector): Projected {
  const [height, width, channels] = (own.place as tf.Tensor).shape as [number, number, number];
  const n = maps.shape[0]!;
  const places = height * width;
  const times = (x: tf.Tensor, kernel: tf.Tensor): tf.Tensor => {
    const [inputs, outputs] = kernel.shape as [number, number];
    const flat = tf.matMul(tf.reshape(x, [-1, inputs]) as tf.Tensor2D, kernel as tf.Tensor2D);
    return tf.reshape(flat, [n, x.size / n / inputs, outputs]);
  };
  const { kernel, bias } = own.first as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  const hidden = tf.add(times(maps, kernel), bias);
  const normal = nn.layerNormalise(tf.reshape(hidden, [n, -1]), own.scale as tf.Tensor, own.shift as tf.Tensor);
  const bent = tf.leakyRelu(normal, 0.1);
  const x = tf.add(times(bent, own.second as tf.Tensor), tf.reshape(own.place as tf.Tensor, [places, channels]));

  const down = (of: tf.Tensor, rows: number, columns: number): tf.Tensor =>
    tf.reshape(tf.transpose(tf.reshape(of, [n, rows, columns, channels]), [0, 2, 1, 3]), [n, places, channels]);
  const back = (of: tf.Tensor): tf.Tensor => tf.reverse(of, [1]);
  const along = down(x, height, width);
  const all = tf.concat([x, back(x), along, back(along)], 0);
  const by = (of: tf.Tensor, kernel: tf.Tensor): tf.Tensor => {
    const [inputs, outputs] = kernel.shape as [number, number];
    return tf.reshape(tf.matMul(tf.reshape(of, [-1, inputs]) as tf.Tensor2D, kernel as tf.Tensor2D), [
      of.shape[0]!,
      places,
      outputs,
    ]);
  };
  const [seen] = shortConv(by(all, own.in as tf.Tensor), own.conv as Params, null, null);
  const u = nn.silu(seen);
  const [low, into, out] = tf.split(by(u, own.select as tf.Tensor), 3, 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const step = own.step as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  const rate = tf.softplus(tf.add(by(low, step.kernel), step.bias));
  const a = tf.neg(tf.exp(own.logA as tf.Tensor));
  const [read] = selectiveScan({ u, step: rate, a, b: into, c: out }, null, null);
  const gate = by(all, own.gate as tf.Tensor);
  const y = tf.mul(tf.add(read, tf.mul(u, own.skip as tf.Tensor)), nn.silu(gate));
  const [h, hBack, v, vBack] = tf.split(y, 4, 0) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const up = (of: tf.Tensor): tf.Tensor => down(of, width, height);
  const sum = tf.addN([h, back(hBack), up(v), up(back(vBack))]);
  const ofFirst = (of: tf.Tensor): tf.Tensor => tf.slice(of, [0, 0, 0], [n, places, of.shape[2]!]);
  return {
    out: tf.mean(sum, 1) as tf.Tensor2D,
    gate: ofFirst(gate),
    chosen: [ofFirst(low), ofFirst(into), ofFirst(out)],
  };
}
